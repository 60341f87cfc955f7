"""Gaussian diffusion: schedules, the denoiser algebra, samplers and losses. Pure torch, for any signal [B, …]."""
