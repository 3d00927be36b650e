"""``python -m evicpress.lmcache <arguments of lmcache server> --plan PLAN``."""

from __future__ import annotations

import argparse
import json
import sys

from .compat import check_version
from .director import Director
from .policies import NAME, register_policies
from .routes import Route, Routes, split_adapter_spec
from .serdes import register_serdes

_OWNED = ("--l2-store-policy", "--l2-prefetch-policy")


def parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our options, and the rest for LMCache."""
    parser = argparse.ArgumentParser(
        prog="python -m evicpress.lmcache",
        description="lmcache server that carries out an evicpress plan. All other arguments are lmcache server's.",
        allow_abbrev=False,
    )
    parser.add_argument("--plan", required=True, help="the plan in force; looked at again several times a second")
    parser.add_argument(
        "--plan-model", metavar="NAME", help="refuse plans for another model (default: the first plan's model)"
    )
    parser.add_argument("--l1-tier", default="dram", help="the plan's name of the server's memory (default dram)")
    parser.add_argument(
        "--migration-rate", type=float, default=200e6, metavar="BYTES", help="bytes a second a new plan may move (default 200e6)"
    )
    parser.add_argument(
        "--staging-share", type=float, default=0.2, help="share of L1 kept free for loads from L2 (default 0.2)"
    )
    parser.add_argument(
        "--grace-seconds", type=float, default=20.0, help="how long a chunk just written is left alone (default 20)"
    )
    options, rest = parser.parse_known_args(argv)
    if options.migration_rate <= 0:
        parser.error("--migration-rate must be more than 0")
    if not 0 <= options.staging_share < 1:
        parser.error("--staging-share must be from 0 to less than 1")
    for name in _OWNED:
        if any(argument == name or argument.startswith(f"{name}=") for argument in rest):
            parser.error(f"{name} is set by the plan; leave it out")
    return options, rest


def take_routes(arguments: list[str]) -> tuple[list[str], list[Route]]:
    """LMCache's arguments without our keys, and the routes those keys describe."""
    passed: list[str] = []
    routes: list[Route] = []
    adapters = 0
    take_next = False
    for argument in arguments:
        inline = argument.startswith("--l2-adapter=")
        if take_next or inline:
            spec, route = split_adapter_spec(adapters, argument.partition("=")[2] if inline else argument)
            adapters += 1
            routes += [route] if route else []
            passed.append(f"--l2-adapter={spec}" if inline else spec)
            take_next = False
        else:
            passed.append(argument)
            take_next = argument == "--l2-adapter"
    return passed, routes


def chunk_size(arguments: list[str]) -> int:
    """LMCache's --chunk-size, 256 where it is not given."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--chunk-size", type=int, default=256)
    return parser.parse_known_args(arguments)[0].chunk_size


def main(argv: list[str] | None = None) -> None:
    options, rest = parse(sys.argv[1:] if argv is None else argv)
    check_version()
    passed, routes = take_routes(rest)
    from . import server_module

    director = Director(Routes(options.l1_tier, tuple(routes)), options.plan_model)
    server_module.director = director
    # LMCache reads the names of policies when it parses its command line: they must be known by then.
    register_serdes()
    register_policies(director)
    module = {
        "module_path": "evicpress.lmcache.server_module",
        "config": {
            "plan": options.plan,
            "keeper": {
                "chunk_size": chunk_size(rest),
                "migration_bytes_per_second": options.migration_rate,
                "staging_share": options.staging_share,
                "grace_seconds": options.grace_seconds,
            },
        },
    }
    from lmcache.cli.main import main as lmcache_main

    lmcache_main(
        ["server", *passed, "--l2-store-policy", NAME, "--l2-prefetch-policy", NAME, "--server-module", json.dumps(module)]
    )


if __name__ == "__main__":
    main()
