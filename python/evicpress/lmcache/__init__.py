"""Carries out an evicpress plan in an LMCache server.

Start the server with ``python -m evicpress.lmcache`` instead of ``lmcache server``, with the same command
line and ``--plan PLAN``. Every chunk then goes to the tier and the compression its context was given; a new
plan is followed without a restart.
"""
