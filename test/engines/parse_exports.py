"""Parses exported command lines with the engines' own parsers; prints what they understood as JSON.

    python parse_exports.py lmcache|vllm|llamacpp WORDS...
"""

import argparse
import json
import sys


def lmcache(words):
    from evicpress.lmcache.__main__ import chunk_size, parse, take_routes
    from evicpress.lmcache.director import Director
    from evicpress.lmcache.policies import NAME, register_policies
    from evicpress.lmcache.routes import Routes
    from evicpress.lmcache.serdes import register_serdes
    from lmcache.v1.distributed.config import add_storage_manager_args, parse_args_to_config
    from lmcache.v1.mp_observability.config import add_observability_args
    from lmcache.v1.multiprocess.config import (
        add_coordinator_args,
        add_http_frontend_args,
        add_mp_server_args,
        add_p2p_args,
        parse_args_to_http_frontend_config,
        parse_args_to_mp_server_config,
    )

    options, rest = parse(words)
    passed, routes = take_routes(rest)
    register_serdes()
    register_policies(Director(Routes(options.l1_tier, tuple(routes))))
    parser = argparse.ArgumentParser()
    # All groups of `lmcache server`.
    for add in (
        add_mp_server_args,
        add_p2p_args,
        add_storage_manager_args,
        add_http_frontend_args,
        add_observability_args,
        add_coordinator_args,
    ):
        add(parser)
    arguments = parser.parse_args([*passed, "--l2-store-policy", NAME, "--l2-prefetch-policy", NAME])
    config = parse_args_to_config(arguments)
    parse_args_to_mp_server_config(arguments)
    parse_args_to_http_frontend_config(arguments)
    return {
        "plan": options.plan,
        "model": options.plan_model,
        "chunkSize": chunk_size(rest),
        "l1Bytes": config.l1_manager_configs[0].memory_config.size_in_bytes,
        "stores": config.store_policy,
        "adapters": len(config.l2_adapter_config.adapters),
        "routes": [[route.target.tier, route.target.method] for route in routes],
    }


def vllm(words):
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    args = make_arg_parser(FlexibleArgumentParser()).parse_args(words)
    connector = args.kv_transfer_config
    return {
        "offloadingGiB": args.kv_offloading_size,
        "cacheDtype": args.kv_cache_dtype,
        "ranks": args.tensor_parallel_size,
        "connector": None if connector is None else connector.kv_connector,
    }


def llamacpp(words):
    """llama.cpp's server as the package xllamacpp carries it: every flag must be in its own table of arguments, and
    every value must be one that the setting behind the flag takes."""
    from pathlib import Path

    import xllamacpp

    library = Path(xllamacpp.xllamacpp.__file__).read_bytes()
    flags = [word for word in words if word.startswith("--")]
    unknown = [flag for flag in flags if flag.encode() + b"\0" not in library]
    values = dict(zip(words, words[1:]))
    params = xllamacpp.CommonParams()
    params.model.path = values["--model"]
    params.cache_ram_mib = int(values["--cache-ram"])
    if "--slot-save-path" in values:
        params.slot_save_path = values["--slot-save-path"]
    for kind in ("k", "v"):
        if f"--cache-type-{kind}" in values:
            name = f"GGML_TYPE_{values[f'--cache-type-{kind}'].upper()}"
            setattr(params, f"cache_type_{kind}", getattr(xllamacpp.ggml_type, name))
    return {
        "unknown": unknown,
        "cacheMiB": params.cache_ram_mib,
        "slots": params.slot_save_path,
        "types": [xllamacpp.ggml_type(kind).name for kind in (params.cache_type_k, params.cache_type_v)],
        "flashAttention": values.get("--flash-attn"),
    }


print(json.dumps({"lmcache": lmcache, "vllm": vllm, "llamacpp": llamacpp}[sys.argv[1]](sys.argv[2:])))
