"""Stages of DVC pipelines that modelver writes, and the checks of data that they run."""
