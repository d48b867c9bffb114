from __future__ import annotations

import pytest

from sokrates import engines
from sokrates.config import GenerationConfig, ModelConfig
from sokrates.engines import Request, Sampling, load_engine
from sokrates.errors import SokratesError


@pytest.mark.parametrize("name", ["auto", "transformers"])
def test_loads_an_engine_by_name(tiny_model, name):
    engine = load_engine(name, ModelConfig(model=str(tiny_model), device="cpu"), GenerationConfig(max_batch=2))
    (done,) = engine.generate([Request((5, 6), "p", 0)], Sampling(0, 1, 3, 24, 0))
    assert done.request.problem_id == "p" and 1 <= len(done.token_ids) <= 3


def test_an_unknown_engine_is_named_with_those_there_are(tiny_model):
    with pytest.raises(SokratesError, match=r"'gpt': .* expected auto or transformers"):
        load_engine("gpt", ModelConfig(model=str(tiny_model)), GenerationConfig())


def test_ray_missing_says_what_to_install(tiny_model, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(SokratesError, match=r"pip install 'sokrates\[ray\]'"):
        load_engine("ray", ModelConfig(model=str(tiny_model)), GenerationConfig())
