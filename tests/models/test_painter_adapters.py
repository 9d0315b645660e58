"""Families of pipelines, and what is put on them: LoRAs, IP-Adapters, pipelines that edit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rather.core.errors import CallRefused, InputError
from rather.models.painter import Nag, Sampling, painting_request
from rather.models.painter_loading import located

from .. import tiny_adapters, tiny_pipelines
from ..painters import TEXT, ask, pictures, spec
from ..pictures import pixels, png

pytest.importorskip("torch", reason="torch is not installed (rather[images])")
pytest.importorskip("diffusers", reason="diffusers is not installed (rather[images])")


@pytest.mark.full
@pytest.mark.parametrize(
    "make", [tiny_pipelines.stable_diffusion_xl, tiny_pipelines.stable_diffusion_3, tiny_pipelines.flux]
)
def test_other_families(make: Callable[[Path], Path], tmp_path: Path) -> None:
    begun = painting_request("a red dog", 1, Sampling(strength=0.9), image=png())
    away = painting_request("a red dog", 1, Sampling("blurry"))
    other = painting_request("a red dog", 2, Sampling(guidance=2.0))
    path = make(tmp_path / "pipeline")
    flux = make is tiny_pipelines.flux
    found = pictures(spec(path, true_guidance=2.0 if flux else None), TEXT, TEXT, other, begun, away)
    assert found[0] == found[1] and len(set(found)) == 4
    assert {pixels(image).shape for image in found} == {(32, 32, 3)}
    if flux:
        (reply,) = ask(spec(path), away)
        assert isinstance(reply, CallRefused) and "true_guidance" in reply.show()


@pytest.mark.full
def test_a_pipeline_that_edits_takes_a_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers.pipelines.flux import pipeline_flux_kontext

    monkeypatch.setattr(pipeline_flux_kontext, "PREFERRED_KONTEXT_RESOLUTIONS", [(32, 32)])
    path = tiny_pipelines.flux(tmp_path / "kontext", "FluxKontextPipeline")
    referring = [painting_request("a red dog", 1, Sampling(), reference=png(k)) for k in (0, 0, 1)]
    text, *found = pictures(spec(path), TEXT, *referring)
    assert found[0] == found[1] != found[2] and text not in found
    assert pixels(text).shape == pixels(found[0]).shape == (32, 32, 3)
    (reply,) = ask(spec(path), painting_request("a", 1, Sampling(strength=0.5), image=png()))
    assert isinstance(reply, CallRefused) and "no strength" in reply.show()


@pytest.mark.full
def test_an_ip_adapter_makes_the_reference_count(sd: Path, tmp_path: Path) -> None:
    adapted = spec(sd, ip_adapter=tiny_adapters.ip_adapter(tmp_path))
    referring = [painting_request("a red dog", 1, Sampling(), reference=png(k)) for k in (0, 0, 1)]
    plain, *found = pictures(adapted, TEXT, *referring)
    assert plain == pictures(spec(sd), TEXT)[0], "without a reference the adapter adds nothing"
    assert found[0] == found[1] != found[2] and plain not in found
    begun = Sampling(strength=0.9)
    over, both, other = pictures(
        adapted,
        painting_request("a red dog", 1, begun, image=png(3)),
        painting_request("a red dog", 1, begun, image=png(3), reference=png(0)),
        painting_request("a red dog", 1, begun, image=png(3), reference=png(1)),
    )
    assert over == pictures(spec(sd), painting_request("a red dog", 1, begun, image=png(3)))[0]
    assert len({over, both, other}) == 3, "begun from one picture, in the likeness of another"
    (reply,) = ask(adapted, painting_request("a red dog", 1, Sampling(nag=Nag("blurry"))))
    assert isinstance(reply, CallRefused) and "adapter" in reply.show()


@pytest.mark.full
def test_an_ip_adapter_for_flux(tmp_path: Path) -> None:
    path, adapter = tiny_pipelines.flux(tmp_path / "flux"), tiny_adapters.flux_ip_adapter(tmp_path)
    referring = [painting_request("a red dog", 1, Sampling(), reference=png(k)) for k in (0, 0, 1)]
    plain, *found = pictures(spec(path, ip_adapter=adapter), TEXT, *referring)
    assert plain == pictures(spec(path), TEXT)[0] and plain not in found
    assert found[0] == found[1] != found[2]
    (Path(adapter).parent / "image_encoder").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="ip_encoder"):
        spec(path, ip_adapter=adapter).load()
    there = spec(path, ip_adapter=adapter, ip_encoder=str(tmp_path / "elsewhere"))
    assert pictures(there, referring[0]) == found[:1]


@pytest.mark.full
def test_an_ip_adapter_for_stable_diffusion_3(tmp_path: Path) -> None:
    path, adapter = (
        tiny_pipelines.stable_diffusion_3(tmp_path / "sd3"),
        tiny_adapters.stable_diffusion_3_ip_adapter(tmp_path),
    )
    referring = [painting_request("a red dog", 1, Sampling(), reference=png(k)) for k in (0, 0, 1)]
    plain, *found = pictures(spec(path, ip_adapter=adapter, ip_scale=2.0), TEXT, *referring)
    assert plain == pictures(spec(path), TEXT)[0] and plain not in found
    assert found[0] == found[1] != found[2]


@pytest.mark.full
def test_loras_and_their_scales(sd: Path, tmp_path: Path) -> None:
    one, two = (tiny_adapters.lora(tmp_path / str(k), seed=k) for k in (2, 3))
    plain = pictures(spec(sd), TEXT)[0]
    assert pictures(spec(sd, loras=(one,), lora_scales=(0.0,)), TEXT)[0] == plain
    found = {pictures(spec(sd, loras=loras), TEXT)[0] for loras in ((one,), (two,), (one, two))}
    assert len(found | {plain}) == 4
    with pytest.raises(InputError, match="2 lora_scales for 1"):
        spec(sd, loras=(one,), lora_scales=(1.0, 1.0)).load()
    import torch
    from safetensors.torch import load_file

    pickled = tmp_path / "pickled.bin"
    torch.save(load_file(one), pickled)
    with pytest.raises(InputError, match="no safetensors file"):
        spec(sd, loras=(str(pickled),)).load()
    torch.save(load_file(one), tmp_path / "disguised.safetensors")
    with pytest.raises(InputError, match="does not load"):
        spec(sd, loras=(str(tmp_path / "disguised.safetensors"),)).load()


def test_where_adapters_are(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    assert located(f"{tmp_path}/models/a.safetensors") == (str(tmp_path), "models", "a.safetensors")
    assert located("owner/name/a.safetensors") == ("owner/name", None, "a.safetensors")
    assert located("owner/name/x/y/a.safetensors") == ("owner/name", "x/y", "a.safetensors")
    for wrong, said in (("owner/name/a.bin", "no safetensors"), ("nowhere/a.safetensors", "no weights")):
        with pytest.raises(InputError, match=said):
            located(wrong)
