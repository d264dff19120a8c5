"""Experiments in the admin: the list, one of them with its verdict, what it asks, and its winner rolled out."""

from analytics.pages.experiments import admin

__all__ = ["admin"]
