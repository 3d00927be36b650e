"""Quantizers: true sizes, bounded error, both layouts."""

import pytest

torch = pytest.importorskip("torch")

from evicpress.lmcache.quantize import QUANTIZERS, decode_chunk, encode_chunk, grouped  # noqa: E402

# Largest error relative to the peak of a group, the rounding of bfloat16 included.
STEP = {"int8": 1 / 127, "int4": 1 / 15 + 1 / 100, "fp8": 1 / 14}


def round_trip(name, chunk, layout, group):
    quantizer = QUANTIZERS[name]
    data = torch.full((quantizer.stored_bytes(chunk.numel(), group),), 255, dtype=torch.uint8)
    size = encode_chunk(quantizer, chunk, layout, group, data)
    assert size == data.numel()
    assert size % 4096 == 0
    restored = torch.full_like(chunk, float("nan"))
    decode_chunk(quantizer, data, layout, group, restored)
    return size, restored


@pytest.mark.parametrize("name", QUANTIZERS)
@pytest.mark.parametrize(("layout", "shape"), [("blocks", (4, 256, 96)), ("kv", (2, 4, 256, 64))])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_error_stays_within_a_step_of_the_group(name, layout, shape, dtype):
    chunk = (torch.randn(shape, generator=torch.Generator().manual_seed(7)) * 3).to(dtype)
    _size, restored = round_trip(name, chunk, layout, 64)
    for before, after in zip(grouped(chunk, layout, 64), grouped(restored, layout, 64)):
        peak = before.float().abs().amax(-1, keepdim=True)
        assert ((after.float() - before.float()).abs() <= peak * STEP[name] + 1e-6).all()


def test_stored_bytes_are_what_the_formats_say():
    elements = 30 * 256 * 384
    chunk = torch.zeros(30, 256, 384, dtype=torch.bfloat16)
    assert round_trip("int4", chunk, "blocks", 64)[0] == elements // 2 + elements // 64 * 4
    assert round_trip("int8", chunk, "blocks", 64)[0] == -(-(elements + elements // 64 * 2) // 4096) * 4096


@pytest.mark.parametrize("name", QUANTIZERS)
def test_zeros_and_huge_values_survive(name):
    chunk = torch.zeros(2, 64, 64, dtype=torch.bfloat16)
    chunk[1] = 30000.0
    _size, restored = round_trip(name, chunk, "blocks", 64)
    assert torch.isfinite(restored).all()
    assert (restored[0] == 0).all()
    assert torch.allclose(restored[1].float(), chunk[1].float(), rtol=0.04)


def test_an_outlier_channel_of_the_keys_does_not_disturb_its_neighbours():
    keys = torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(1))
    keys[..., 5] *= 100
    chunk = torch.cat((keys, torch.randn(1, 2, 64, 64))).to(torch.bfloat16)
    _size, restored = round_trip("int8", chunk, "kv", 64)
    others = torch.arange(64) != 5
    error = (restored[0][..., others].float() - chunk[0][..., others].float()).abs().max()
    assert error < 0.05


def test_chunks_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="do not divide"):
        grouped(torch.zeros(3, 5), "blocks", 64)
    with pytest.raises(ValueError, match="layout"):
        grouped(torch.zeros(64), "nhd", 64)
