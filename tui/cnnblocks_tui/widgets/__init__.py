"""Widgets that draw curves, arrays and layers, and lists that listen to vim's keys."""
