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
    from lmcache.v1.multiprocess.config import (
        add_http_frontend_args,
        add_mp_server_args,
        parse_args_to_http_frontend_config,
        parse_args_to_mp_server_config,
    )

    options, rest = parse(words)
    passed, routes = take_routes(rest)
    register_serdes()
    register_policies(Director(Routes(options.l1_tier, tuple(routes))))
    parser = argparse.ArgumentParser()
    for add in (add_mp_server_args, add_storage_manager_args, add_http_frontend_args):
        add(parser)
    arguments = parser.parse_args([*passed, "--l2-store-policy", NAME, "--l2-prefetch-policy", NAME])
    config = parse_args_to_config(arguments)
    parse_args_to_mp_server_config(arguments)
    parse_args_to_http_frontend_config(arguments)
    return {
        "plan": options.plan,
        "chunkSize": chunk_size(rest),
        "l1Bytes": config.l1_manager_configs[0].memory_config.size_in_bytes,
        "stores": config.store_policy,
        "adapters": len(config.l2_adapter_config.adapters),
        "routes": [[route.target.tier, route.target.method] for route in routes],
    }


def vllm(words):
    from vllm.engine.arg_utils import EngineArgs
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = EngineArgs.add_cli_args(FlexibleArgumentParser())
    args = parser.parse_args(["--model", words[0], *words[1:]])
    connector = args.kv_transfer_config
    return {
        "offloadingGiB": args.kv_offloading_size,
        "cacheDtype": args.kv_cache_dtype,
        "ranks": args.tensor_parallel_size,
        "connector": None if connector is None else connector.kv_connector,
    }


def llamacpp(words):
    """The server is a program of its own; its cache types are those of the library."""
    import llama_cpp

    kinds = {
        flag: getattr(llama_cpp, f"GGML_TYPE_{words[words.index(flag) + 1].upper()}")
        for flag in ("--cache-type-k", "--cache-type-v")
        if flag in words
    }
    return {"types": kinds}


print(json.dumps({"lmcache": lmcache, "vllm": vllm, "llamacpp": llamacpp}[sys.argv[1]](sys.argv[2:])))
