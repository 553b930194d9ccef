"""Labelled streams through the engine, for reports: how well are new classes discovered?"""
