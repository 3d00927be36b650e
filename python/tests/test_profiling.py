"""The kvpress worker on a small random model: it says what kvpress itself does, and what fails stays alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("kvpress")

from kvpress import KVPressTextGenerationPipeline  # noqa: E402
from small_model import WORDS, make_model  # noqa: E402

from evicpress.profiling import session as sessions  # noqa: E402
from evicpress.profiling.caches import compress  # noqa: E402
from evicpress.profiling.presses import PRESSES, SCORERS, scored_once  # noqa: E402
from evicpress.profiling.quantizers import FIXED_RATIOS, round_trip  # noqa: E402
from evicpress.profiling.session import Session  # noqa: E402
from evicpress.profiling.worker import Worker  # noqa: E402

TEXT = " ".join(WORDS[(i * i + 3 * i) % 200] for i in range(300))
QUERIES = ["w1 w2 w3", "w9", "w7 w50 w20 w11"]
LIMIT = 8


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def session(model):
    made = Session(model, "float32", "cpu")
    made.prepare("a", TEXT, QUERIES, LIMIT, "cut")
    return made


def measure(session, method, *ratios, **wanted):
    return session.measure([{"method": method, "ratio": ratio} for ratio in ratios], **wanted)




@pytest.mark.parametrize("press", ["keydiff", "streaming-llm", "lagkv", "adakv-snapkv", "criticalkv-knorm", "chunkkv-tova", "kvzip"])
def test_says_what_the_pipeline_says(session, press):
    pipeline = KVPressTextGenerationPipeline(model=session.model, tokenizer=session.tokenizer)
    ratios = (0.3, 0.8)
    for ratio, measured in zip(ratios, measure(session, press, *ratios), strict=True):
        with torch.no_grad():
            expected = pipeline(TEXT, questions=QUERIES, press=PRESSES[press](ratio), max_new_tokens=LIMIT)["answers"]
        assert measured["answers"] == expected


@pytest.mark.parametrize("name", [name for name in SCORERS if scored_once(name)])
def test_scores_do_not_depend_on_the_ratio(model, session, name):
    """What an earlier ratio has left must not change a later one."""
    fresh = Session(model, "float32", "cpu")
    fresh.prepare("a", TEXT, QUERIES, LIMIT, "cut")
    compress(session.model, session.full, name, 0.2)  # leaves its scores
    later, alone = compress(session.model, session.full, name, 0.7), compress(fresh.model, fresh.full, name, 0.7)
    for a, b in zip(later.layers, alone.layers, strict=True):
        assert torch.equal(a.keys, b.keys) and torch.equal(a.values, b.values)


def test_together_is_as_one_by_one(session):
    together = measure(session, "knorm", 0.2, 0.5, 0.9)
    alone = [measure(session, "knorm", ratio)[0] for ratio in (0.2, 0.5, 0.9)]
    for a, b in zip(together, alone, strict=True):
        assert a["answers"] == b["answers"]
        assert a["tokenAgreement"] == b["tokenAgreement"]
        assert a["klDivergence"] == pytest.approx(b["klDivergence"], abs=1e-5)


def test_the_whole_cache_is_the_reference(session):
    (measured,) = measure(session, "knorm", 0)
    assert measured["tokenAgreement"] == [1] * len(QUERIES)
    assert measured["klDivergence"] == pytest.approx([0] * len(QUERIES), abs=1e-6)


def test_some_queries_and_no_answers(session):
    (every,) = measure(session, "snapkv", 0.6)
    (some,) = measure(session, "snapkv", 0.6, asked=[2, 0], answer=False)
    assert some["answers"] == []
    assert some["tokenAgreement"] == [every["tokenAgreement"][2], every["tokenAgreement"][0]]


def test_marked_tokens_are_not_counted(session):
    full = sum(layer.keys.numel() + layer.values.numel() for layer in session.full.layers) * 2
    (measured,) = measure(session, "adakv-snapkv", 0.5)
    assert measured["storedBytes"] == pytest.approx(full / 2, rel=0.01)


def test_ratio_of_a_combination_is_that_of_the_whole(session):
    full = sum(layer.keys.numel() + layer.values.numel() for layer in session.full.layers) * 2
    (measured,) = measure(session, "keydiff+int4", 0.9)
    # Scales and offsets come on top of the nominal ratio.
    assert 0.1 * full <= measured["storedBytes"] < 0.14 * full


@pytest.mark.parametrize("name", FIXED_RATIOS)
def test_quantizers_are_near(name):
    torch.manual_seed(1)
    keys, values = torch.randn(1, 2, 130, 64), torch.randn(1, 2, 130, 64)
    back, _, stored = round_trip(name, keys, values)
    full = 2 * (keys.numel() + values.numel())
    assert stored >= (1 - FIXED_RATIOS[name]) * full
    levels = {"int8": 255, "int4": 15, "int3": 7, "int2": 3, "fp8": 16}[name]
    assert (back - keys).abs().max() <= 1.01 * (keys.max() - keys.min()) / levels / 2 + 1e-3


def test_what_fails_stays_alone(session, monkeypatch):
    worker = Worker()
    worker.session = session
    configurations = [{"method": "knorm", "ratio": 0.5}, {"method": "think", "ratio": 0.9}]
    first, second = worker.reply({"op": "measure", "configurations": configurations})["ok"]
    assert first["ok"]["storedBytes"] > 0
    assert "at most half" in second["failed"]

    def starved(*_):
        raise MemoryError("cannot allocate 4 GiB")

    monkeypatch.setattr(sessions, "compress", starved)
    replies = worker.reply({"op": "measure", "configurations": configurations})["ok"]
    assert [each["failed"] for each in replies] == ["out of memory: cannot allocate 4 GiB"] * 2


def test_long_contexts_are_cut_or_refused(model):
    session = Session(model, "float32", "cpu")
    long = " ".join([TEXT] * 3)
    prepared = session.prepare("a", long, QUERIES, LIMIT, "cut")
    assert prepared["tokens"] + prepared["cutTokens"] > 900
    assert prepared["tokens"] + LIMIT + 4 <= 512
    with pytest.raises(ValueError, match='Context "a" has .* tokens; .* fit'):
        session.prepare("a", long, QUERIES, LIMIT, "refuse")


def test_models_that_cannot_be_profiled(tmp_path):
    open_model = lambda path: Worker().reply({"op": "open", "model": path, "dtype": "float32", "device": "cpu"})["error"]  # noqa: E731
    assert "there is no such folder" in open_model(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    assert "no config.json" in open_model(str(tmp_path / "empty"))
    assert "keeps no KV cache" in open_model(make_model(tmp_path / "cacheless", use_cache=False))


def test_questions_come_from_the_model(session):
    requests = ["w4 w5", "w6"]
    written = session.ask(TEXT, requests, seed=3)
    assert len(written) == 2 and written == session.ask(TEXT, requests, seed=3)
    session.prepare("a", TEXT, QUERIES, LIMIT, "cut")


def test_speaks_ndjson(model):
    requests = [
        {"id": 1, "op": "open", "model": model, "dtype": "float32", "device": "cpu"},
        {"id": 2, "op": "prepare", "context": "a", "text": TEXT, "queries": QUERIES, "limit": LIMIT, "long_contexts": "cut"},
        {"id": 3, "op": "measure", "configurations": [{"method": "int8", "ratio": 0.5}]},
        {"id": 4, "op": "nonsense"},
    ]
    done = subprocess.run(
        [sys.executable, "-m", "evicpress.profiling"],
        input="".join(json.dumps(each) + "\n" for each in requests),
        capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[1],
    )
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert [reply["id"] for reply in replies] == [1, 2, 3, 4], done.stderr[-500:]
    assert set(PRESSES) == set(replies[0]["ok"]["presses"])
    assert len(replies[2]["ok"][0]["ok"]["answers"]) == len(QUERIES)
    assert "nonsense" in replies[3]["error"]
