"""The routes of the API, by what they are about."""

from fastapi import APIRouter

from server.routes import catalogue, checks, events, files, graphs, health, jobs, live, runs

PREFIX = "/api/v1"


def router() -> APIRouter:
    """All routes of the API."""
    found = APIRouter(prefix=PREFIX)
    for one in (health, catalogue, checks, graphs, live, files, jobs, runs, events):
        found.include_router(one.router)
    return found
