"""Networks: one UNet family for guided diffusion, GLIDE and unCLIP, text transformers and tokenizers. Pure torch."""
