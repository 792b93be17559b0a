"""Hooks: equal to hooks written by hand, on models of three libraries with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import reprsim

torch = pytest.importorskip("torch")


def by_hand(model: Any, names: list[str], call: Any, pool: Any) -> dict[str, Any]:
    """The outputs of modules by name, pooled, from plain hooks."""
    seen: dict[str, Any] = {}
    modules = dict(model.named_modules())

    def keep(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            while not isinstance(output, torch.Tensor):
                output = output[0]
            seen.setdefault(name, pool(output.detach()).clone())

        return hook

    handles = [modules[name].register_forward_hook(keep(name)) for name in names]
    with torch.no_grad():
        call()
    for handle in handles:
        handle.remove()
    return seen


def mean(x: Any) -> Any:
    if x.ndim == 4:
        return x.mean((2, 3))
    return x.mean(1) if x.ndim == 3 else x


def hooks(model: Any) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def check(model: Any, call: Any, pool: Any = mean, min_layers: int = 10) -> reprsim.Capture:
    """All layers at once and by hand."""
    with torch.no_grad(), reprsim.capture(model) as captured:
        call()
    first = [name for name in captured if "@" not in name and name in dict(model.named_modules())]
    assert len(first) >= min_layers
    expected = by_hand(model, first, call, pool)
    for name in first:
        assert torch.equal(captured[name], expected[name]), name
    assert hooks(model) == 0
    return captured


def test_torchvision_resnet18() -> None:
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    model = models.resnet18(weights=None).eval()
    images = torch.randn(5, 3, 64, 64)
    captured = check(model, lambda: model(images), min_layers=60)
    # The one ReLU of a block is called twice a pass.
    assert captured["layer1.0.relu@2"].shape == captured["layer1.0.relu"].shape == (5, 64)
    assert captured["fc"].shape == (5, 1000)
    assert not captured.skipped


def test_timm_vit_tiny() -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", pretrained=False, img_size=64).eval()
    images = torch.randn(4, 3, 64, 64)
    captured = check(model, lambda: model(images), min_layers=150)
    assert captured["blocks.11"].shape == (4, 192)
    with torch.no_grad(), reprsim.capture(model, "blocks.*.mlp", pool="first") as tokens:
        model(images)
    assert list(tokens) == [f"blocks.{i}.mlp" for i in range(12)]
    expected = by_hand(model, list(tokens), lambda: model(images), lambda x: x[:, 0])
    assert all(torch.equal(tokens[name], expected[name]) for name in tokens)


def test_transformers_gpt2() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_layer=3, n_embd=48, n_head=4, vocab_size=101, n_positions=32)
    model = transformers.GPT2Model(config).eval()
    tokens = torch.randint(0, 101, (6, 16))
    check(model, lambda: model(tokens), min_layers=25)

    # Padded, the mask of the call says which tokens are real.
    lengths = torch.tensor([16, 3, 7, 1, 12, 9])
    mask = (torch.arange(16) < lengths[:, None]).long()
    weights = mask[:, :, None].float()
    pools = {
        "mean": lambda x: (x * weights).sum(1) / weights.sum(1),
        "last": lambda x: x[torch.arange(6), lengths - 1],
        "max": lambda x: x.masked_fill(mask[:, :, None] == 0, float("-inf")).amax(1),
        "first": lambda x: x[:, 0],
    }

    def call() -> None:
        model(input_ids=tokens, attention_mask=mask)

    names = ["h.0", "h.2.mlp", "ln_f"]
    for how, pool in pools.items():
        with torch.no_grad(), reprsim.capture(model, names, pool=how) as captured:
            call()
        expected = by_hand(model, names, call, pool)
        for name in names:
            assert torch.allclose(captured[name], expected[name], atol=1e-6), (how, name)


class Several(torch.nn.Module):
    """Gives a mapping of a tuple and other things."""

    def __init__(self) -> None:
        super().__init__()
        self.part = torch.nn.Linear(3, 4)
        self.inner = Inner()

    def forward(self, x: Any) -> Any:
        return self.inner(self.part(x))


class Inner(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return {"a": x + 1, "b": (x * 2, None, x.long()), "loss": x.sum()}


def test_outputs_of_several_tensors() -> None:
    model, x = Several(), torch.randn(5, 3)
    with reprsim.capture(model) as captured:
        model(x)
    part = model.part(x).detach()
    assert list(captured) == ["part", "inner[a]", "inner[b][0]"]
    assert torch.equal(captured["inner[a]"], part + 1)
    assert torch.equal(captured["inner[b][0]"], part * 2)
    assert list(captured.skipped) == ["inner[loss]"]


class Stage(torch.nn.Sequential):
    """Gives both outputs of its children."""

    def forward(self, x: Any) -> Any:
        first = self[0](x)
        return self[1](first), x


def test_parts_of_an_output_are_no_children() -> None:
    model = torch.nn.Sequential()
    model.add_module("stage", Stage(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)))
    x = torch.randn(5, 3)
    with torch.no_grad(), reprsim.capture(model) as captured:
        model(x)
        first = model[0][0](x)
    assert list(captured) == ["stage.0", "stage.1", "stage[0]", "stage[1]"]
    assert torch.equal(captured["stage.0"], first) and torch.equal(captured["stage[1]"], x)
    assert torch.equal(captured["stage[0]"], captured["stage.1"])


def test_channels_that_look_last() -> None:
    class Last(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.permute(0, 2, 3, 1)

    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), Last(), Last())
    x = torch.randn(5, 3, 7, 7)
    with torch.no_grad():
        maps = model[0](x)
        with reprsim.capture(model) as captured:
            model(x)
        assert list(captured) == ["0", "2"] and 'axes="nhwc"' in captured.skipped["1"]
        with pytest.raises(reprsim.InputError, match="layer '1' gives .* channels were last"):
            with reprsim.capture(model, "1"):
                model(x)
        for how, expected in (("mean", maps.mean((2, 3))), ("max", maps.amax((2, 3)))):
            with reprsim.capture(model, "1", pool=how, axes="nhwc") as captured:
                model(x)
            assert torch.allclose(captured["1"], expected, atol=1e-6)
        with reprsim.capture(model, "1", axes="NCHW") as captured:
            model(x)
        assert torch.equal(captured["1"], maps.permute(0, 2, 3, 1).mean((2, 3)))
        with reprsim.capture(model, "1", pool="flatten") as captured:
            model(x)
        assert captured["1"].shape == (5, 200)
        line = torch.nn.Sequential(torch.nn.Conv1d(3, 8, 3))
        for axes, over in (("ncl", 2), (["ntc", "nhwc"], 1), ("nct", 2)):
            with reprsim.capture(line, axes=axes) as captured:
                line(x[..., 0])
            assert torch.allclose(captured["0"], line(x[..., 0]).mean(over), atol=1e-6)
        with pytest.raises(reprsim.InputError, match="read as ncl, which has no last token"):
            with reprsim.capture(line, pool="last", axes="ncl"):
                line(x[..., 0])
    for axes, why in (("cnhw", "samples"), ("nxyz", "no axis"), (["nhwc", "nchw"], "both of 4 axes")):
        with pytest.raises(reprsim.InputError, match=why):
            reprsim.capture(model, axes=axes)


def test_classes_and_patterns() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(inplace=True), torch.nn.Linear(4, 2))
    x = torch.randn(6, 3)
    with reprsim.capture(model, [torch.nn.Linear, "1"]) as captured:
        model(x)
    assert list(captured) == ["0", "1", "2"]
    # What is changed in place afterwards was kept as it was.
    assert bool((captured["0"] < 0).any()) and bool((captured["1"] >= 0).all())
    with pytest.raises(reprsim.InputError, match="no module 'lyer'"):
        reprsim.capture(model, "lyer")
    with pytest.raises(reprsim.InputError, match="pool 'avg'"):
        reprsim.capture(model, pool="avg")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["memory", "temporary", "file"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_rows_are_in_the_order_of_their_ids(tmp_path: Path, kind: str, dtype: str) -> None:
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh()).to(getattr(torch, dtype))
    x = torch.randn(50, 3).to(getattr(torch, dtype))
    order = torch.randperm(50)
    options: dict[str, Any] = {
        "memory": {},
        "temporary": {"memory": 64},
        "file": {"file": tmp_path / "a.safetensors"},
    }[kind]
    with reprsim.capture(model, **options) as captured:
        for part in order.split(16):
            captured.batch(ids=part)
            model(x[part])
    with torch.no_grad():
        expected = model[0](x)
    assert captured.sample_ids == list(range(50))
    assert torch.equal(captured["0"], expected) or torch.allclose(captured["0"], expected, rtol=1e-2)
    assert captured["0"].dtype == expected.dtype
    if kind == "file":
        assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    saved = tmp_path / "saved.safetensors"
    captured.save(saved)
    if kind == "file":
        assert saved.read_bytes() == (tmp_path / "a.safetensors").read_bytes()
    layers = reprsim.activations(saved)
    assert layers.sample_ids == captured.sample_ids
    numpy = pytest.importorskip("numpy")
    assert numpy.array_equal(numpy.asarray(layers["0"]), captured["0"].to(torch.float64).numpy())
    result = reprsim.compare(captured, saved, null=0)
    assert result[0].value == pytest.approx(1.0)
    other = tmp_path / "other.safetensors"
    with reprsim.capture(model, file=other) as named:
        named.batch(ids=[f"image{i:03}.png" for i in range(50)])
        model(x)
    assert reprsim.compare(other, saved, null=0)[0].value == pytest.approx(1.0, abs=1e-3)


def test_an_exception_leaves_nothing_behind(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Flatten(0))
    x = torch.randn(6, 3)
    with pytest.raises(RuntimeError, match="mine"):
        with reprsim.capture(model, "0", file=tmp_path / "a.safetensors"):
            model(x)
            raise RuntimeError("mine")
    assert hooks(model) == 0 and not list(tmp_path.iterdir())
    # In a hook: layer 1 gives one axis, not a row a sample.
    with pytest.raises(reprsim.InputError, match="layer '1' gives \\[24\\] of a batch of 6 samples"):
        with reprsim.capture(model, ["0", "1"], file=tmp_path / "a.safetensors"):
            model(x)
    assert hooks(model) == 0 and not list(tmp_path.iterdir())
    # In the model: the pass is no batch, others are.
    with reprsim.capture(model, "0") as captured:
        model(x)
        with pytest.raises(RuntimeError):
            model(torch.randn(6, 99))
        model(x)
    assert captured["0"].shape == (12, 4) and hooks(model) == 0


def test_what_does_not_fit_is_refused() -> None:
    model = torch.nn.Linear(3, 4)
    whole = torch.nn.Sequential(model)
    x = torch.randn(6, 3)
    with pytest.raises(reprsim.InputError, match="sample 1 came twice"):
        with reprsim.capture(whole) as captured:
            for _ in range(2):
                captured.batch(ids=[1, 2, 3, 4, 5, 6])
                whole(x)
    with pytest.raises(reprsim.InputError, match="5 ids of a batch of 6"):
        with reprsim.capture(whole) as captured:
            captured.batch(ids=range(5))
            whole(x)
    with pytest.raises(reprsim.InputError, match="some batches have ids"):
        with reprsim.capture(whole) as captured:
            whole(x)
            captured.batch(ids=range(6))
            whole(x)
    with pytest.raises(reprsim.ReprsimError, match="entered once"):
        with captured:
            pass
    assert hooks(whole) == 0
