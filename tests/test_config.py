from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import get_args

import click
import pytest
from click.testing import CliRunner
from hypothesis import given as examples
from hypothesis import strategies as st

from sokrates import config
from sokrates.cli_options import given, options
from sokrates.config import (
    BaselineName,
    Config,
    DataConfig,
    DPOConfig,
    GenerationConfig,
    HardwareConfig,
    SFTConfig,
    dump,
    load,
)
from sokrates.errors import SokratesError

CONFIGS = Path(__file__).parent.parent / "configs"


@pytest.fixture
def written(tmp_path):
    """A function that writes text to a file and returns its path."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "given.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refusal(path: Path | None = None, *overrides: str) -> str:
    with pytest.raises(SokratesError) as error:
        load(path, overrides)
    return str(error.value)


class TestLoad:
    def test_nothing_given_is_the_class_defaults(self):
        assert load() == Config()

    def test_training_yaml_writes_the_defaults_out(self):
        assert load(CONFIGS / "training.yaml") == Config()

    def test_training_yaml_names_every_key_but_those_with_a_file_or_command_of_their_own(self):
        from omegaconf import OmegaConf

        tree = OmegaConf.load(CONFIGS / "training.yaml")
        missing = {
            key for key in config.settings() if OmegaConf.select(tree, key, default=missing_mark) is missing_mark
        }
        assert {key for key in missing if not key.startswith("pretrain.")} == {"data.train_file", "data.eval_file"}

    def test_the_plan_s_values_stand_where_nothing_overrides_them(self):
        run = load(CONFIGS / "training.yaml")
        assert (run.trace_generation.max_thought_tokens, run.trace_generation.max_action_tokens) == (100, 40)
        assert (run.dpo.batch_size, run.dpo.gradient_accumulation_steps, run.dpo.max_length) == (8, 2, 1024)
        assert run.trace_generation.max_steps == 24 and run.trace_generation.temperature > 0

    def test_demo_yaml_is_valid_and_writes_to_its_own_folder(self):
        demo = load(CONFIGS / "demo.yaml")
        assert demo.oak_loop.output == "outputs/demo"
        assert demo.data.eval_problems >= 200 and demo.model == "embedded"

    def test_further_sets_have_names_of_their_own(self):
        assert "a set is known by its file's name" in refusal(
            None, "evaluation.transfer_files=[a/dev.jsonl, b/dev.jsonl]"
        )
        files = load(None, ["evaluation.transfer_files=[a/dev.jsonl, a/test.jsonl]"]).evaluation.transfer_files
        assert files == ["a/dev.jsonl", "a/test.jsonl"]

    def test_overrides_go_over_the_file_and_the_last_one_counts(self, written):
        path = written("dpo:\n  beta: 0.3\n  batch_size: 4\n")
        run = load(path, ["dpo.beta=0.4", "dpo.beta=0.5"])
        assert (run.dpo.beta, run.dpo.batch_size, run.dpo.num_epochs) == (0.5, 4, 1)

    @pytest.mark.parametrize("text, value", [("1e-4", 1e-4), ("5E-7", 5e-7), (".5", 0.5), ("1", 1.0)])
    def test_decimals_as_people_write_them(self, written, text, value):
        assert load(written(f"sft:\n  learning_rate: {text}\n")).sft.learning_rate == value
        assert load(None, [f"sft.learning_rate={text}"]).sft.learning_rate == value

    def test_lists_and_nested_keys(self):
        run = load(None, ["dpo.loss_type=[sigmoid, sft]", "dpo.loss_weights=[1, 0.1]", "sft.lora.r=8"])
        assert run.dpo.loss_type == ["sigmoid", "sft"] and run.dpo.loss_weights == [1.0, 0.1]
        assert run.sft.lora.r == 8 and run.sft.lora.alpha == 128

    def test_a_value_may_hold_an_equals_sign(self):
        assert load(None, ["model=runs/lr=1"]).model == "runs/lr=1"

    def test_an_empty_file_is_the_defaults(self, written):
        assert load(written("")) == Config()

    def test_environment_variables_as_omegaconf_has_them(self, monkeypatch):
        monkeypatch.setenv("SCRATCH", "/scratch")
        assert load(None, ["oak_loop.output=${oc.env:SCRATCH}/oak"]).oak_loop.output == "/scratch/oak"

    def test_the_model_is_loaded_on_the_configured_hardware(self):
        chosen = load(None, ["model=m", "hardware.device=cuda:1", "hardware.dtype=bfloat16"]).language_model
        assert (chosen.model, chosen.device, chosen.dtype) == ("m", "cuda:1", "bfloat16")

    def test_a_config_cannot_be_changed(self):
        with pytest.raises(ValueError, match="frozen"):
            Config().dpo.beta = 0.2


missing_mark = object()


class TestUnknownKeys:
    @pytest.mark.parametrize(
        "key, nearest",
        [
            ("dpo.bta", "dpo.beta"),
            ("sft.lora.dropot", "sft.lora.dropout"),
            ("dop", "dpo"),
            ("beta", "dpo.beta"),
            ("sft.device", "hardware.device"),
            ("dpo.model", "model"),
        ],
    )
    def test_the_nearest_known_key_is_named(self, key, nearest):
        assert refusal(None, f"{key}=1") == f"override '{key}=1': unknown key {key}; the nearest known key is {nearest}"

    @pytest.mark.parametrize("key", ["zzz", "1", "dpo.qqqqqq"])
    def test_some_key_is_named_for_anything(self, key):
        named = refusal(None, f"{key}=1").rpartition(" ")[2]
        assert named in set(config.settings()) | set(Config.model_fields)

    def test_the_file_is_named(self, written):
        path = written("dpo:\n  max_prompt_length: 512\n")
        assert refusal(path) == f"{path}: unknown key dpo.max_prompt_length; the nearest known key is dpo.max_length"

    def test_all_are_named_at_once(self, written):
        message = refusal(written("dpo: {bta: 1}\nsft: {epochs: 1}\n"))
        assert "dpo.beta" in message and "sft.num_epochs" in message


class TestWrongValues:
    @pytest.mark.parametrize(
        "override, expected",
        [
            ("dpo.beta=x", "dpo.beta = 'x': should be a valid number"),
            ("dpo.beta=0", "dpo.beta = 0: should be greater than 0"),
            ("dpo.beta=true", "dpo.beta = True: should be a valid number"),
            ("dpo.beta=.nan", "dpo.beta = nan: should be a finite number"),
            ("sft.num_epochs=2.5", "sft.num_epochs = 2.5: should be a valid integer"),
            ("sft.lora.r=0", "sft.lora.r = 0: should be greater than or equal to 1"),
            ("sft.packing=1", "sft.packing = 1: should be a valid boolean"),
            ("trace_generation.top_p=1.1", "trace_generation.top_p = 1.1: should be less than or equal to 1"),
            (
                "trace_generation.engine=vlm",
                "trace_generation.engine = 'vlm': should be 'auto', 'transformers', 'vllm' or 'ray'",
            ),
            ("dpo=3", "dpo = 3: should be a section with keys of its own"),
            ("dpo.loss_weights=[a, b]", "dpo.loss_weights = 'a': should be a valid number"),
            ("data.label_mix=[0, 0, 0]", "data.label_mix = [0, 0, 0]: should be weights of 0 or more, not all 0"),
            ("data.label_mix=[1, 2]", "data.label_mix = [1, 2]: should have at least 3 items, not 2"),
            ("oak_loop.baselines=[rft, rft]", "oak_loop.baselines = ['rft', 'rft']: should name each baseline once"),
            ("model=7", "model = 7: should be a valid string"),
        ],
    )
    def test_key_value_and_expectation(self, override, expected):
        assert refusal(None, override) == f"override {override!r}: {expected}"

    def test_a_list_or_a_name(self):
        message = refusal(None, "sft.lora.target_modules=3")
        assert message.endswith("= 3: should be a valid string, or should be a valid list")

    def test_the_losses_are_those_of_trl(self):
        assert "nearest to 'sigmod': sigmoid" in refusal(None, "dpo.loss_type=[sigmod]")
        spec = importlib.util.find_spec("trl")
        source = Path(spec.origin).with_name("trainer").joinpath("dpo_config.py").read_text()
        listed = re.search(r"Possible values are:(.*?)\. If multiple", source, re.DOTALL)[1]
        assert set(re.findall(r"'(\w+)'", listed)) == {*config.DPO_LOSSES, "exo_pair"}

    @pytest.mark.parametrize(
        "section, overrides, expected",
        [
            ("data", ["data.hops_min=6"], r"hops_min \(6\) should not exceed hops_max \(5\)"),
            ("trace_generation", ["trace_generation.batch_tokens=139"], "hold one step: .* is 140"),
            ("sft", ["sft.heldout_fraction=0"], "heldout_fraction should be above 0"),
            ("preference_pairs", ["preference_pairs.min_gap=2.6"], "at most the best score, 2.5"),
            ("dpo", ["dpo.loss_type=[sigmoid, sft]", "dpo.loss_weights=[1]"], "each of the 2 in loss_type, not 1"),
            ("pretrain", ["pretrain.hops_max=1", "pretrain.hops_min=2"], r"hops_min \(2\) should not exceed"),
            ("pretrain", ["pretrain.heads=5"], r"multiple of twice heads \(5\)"),
            ("pretrain", ["pretrain.kv_heads=2"], r"multiple of kv_heads \(2\)"),
        ],
    )
    def test_rules_between_fields(self, section, overrides, expected):
        message = refusal(None, *overrides)
        assert message.startswith(f"configuration with {' '.join(overrides)}: {section}: ")
        assert re.search(expected, message)

    def test_rules_between_fields_are_met_at_their_limits(self):
        load(None, ["data.hops_min=5", "trace_generation.batch_tokens=140", "preference_pairs.min_gap=2.5"])
        load(None, ["sft.heldout_fraction=0", "sft.early_stopping_patience=0"])

    def test_a_wrong_value_in_the_file_is_not_laid_at_an_override_s_door(self, written):
        path = written("dpo:\n  beta: x\n")
        assert refusal(path, "dpo.batch_size=2") == f"{path}: dpo.beta = 'x': should be a valid number"


class TestUnreadable:
    @pytest.mark.parametrize(
        "text",
        [
            "dpo: [1",
            "dpo:\n\tbeta: 1",
            "a: 1\na: 2",
            "a: &a [*a]",
            "!!python/object:os.system x",
            "- 1",
            b"\xff\xfe\x00",
            "[",
        ],
    )
    def test_a_file_that_is_no_tree_of_settings_is_named(self, written, text):
        path = written(text)
        message = refusal(path)
        assert message.startswith(f"{path}: ") and "\n" not in message

    def test_a_list_is_not_a_tree_of_settings(self, written):
        assert "expected a YAML file of sections" in refusal(written("- dpo"))

    def test_where_the_yaml_breaks(self, written):
        assert "line 3" in refusal(written("dpo:\n  beta: 1\n bata: 2\n"))

    def test_no_file_and_a_folder(self, tmp_path):
        assert refusal(tmp_path / "none.yaml").startswith(f"{tmp_path / 'none.yaml'}: no such file")
        assert refusal(tmp_path).startswith(f"{tmp_path}: no such file")

    @pytest.mark.parametrize("override", ["dpo.beta", "", "=1", "dpo..beta=1", ".=1"])
    def test_an_override_without_a_key_or_an_equals_sign(self, override):
        assert refusal(None, override).startswith(f"override {override!r}: expected KEY=VALUE")

    @pytest.mark.parametrize(
        "override", ["dpo.loss_type=[a", "dpo.beta=${", "dpo.beta={a", "a=" + 5000 * "[" + 5000 * "]"]
    )
    def test_an_override_that_is_not_yaml(self, override):
        assert refusal(None, override).startswith(f"override {override!r}: the value is not YAML")

    def test_an_override_inside_a_list(self, written):
        path = written("dpo: {loss_type: [sigmoid]}")
        assert "expected a whole list" in refusal(path, "dpo.loss_type.0=ipo")

    def test_an_interpolation_that_leads_nowhere(self):
        assert refusal(None, "dpo.beta=${nowhere}").endswith("dpo.beta: Interpolation key 'nowhere' not found")


NAMES = st.text(min_size=1).filter(lambda name: name != "???")  # OmegaConf's own sign for a missing value


class TestDump:
    @examples(
        model=NAMES,
        output=st.one_of(
            NAMES, st.from_regex(r"\A[\\\\${}a:]{1,8}\Z"), st.sampled_from(["1e-4", "null", "yes", "010", "~"])
        ),
        rate=st.floats(min_value=0, max_value=1, exclude_min=True),
        modules=st.lists(NAMES, min_size=1),
        chat=st.booleans(),
    )
    def test_loading_a_dump_gives_the_same(self, tmp_path_factory, model, output, rate, modules, chat):
        run = Config.model_validate(
            {
                "model": model,
                "prompt": {"chat": chat},
                "sft": {"learning_rate": rate, "lora": {"target_modules": modules}},
                "oak_loop": {"output": output},
            }
        )
        path = tmp_path_factory.getbasetemp() / "dumped.yaml"
        path.write_text(dump(run), encoding="utf-8", newline="")
        assert load(path) == run

    @pytest.mark.parametrize("name", ["${a}", "\\${a}", "\\\\${a}", "${", "a\\b", "${oc.env:HOME}", "x ${a} y"])
    def test_what_looks_like_an_interpolation_stays_as_it_is(self, written, name):
        run = Config(model=name)
        assert load(written(dump(run))) == run

    def test_every_setting_is_written(self):
        from omegaconf import OmegaConf

        tree = OmegaConf.create(dump(Config()))
        assert all(OmegaConf.select(tree, key, default=missing_mark) is not missing_mark for key in config.settings())

    def test_the_order_is_that_of_the_classes(self):
        assert [line.partition(":")[0] for line in dump(Config()).splitlines() if line[0].isalpha()] == list(
            Config.model_fields
        )


def test_every_field_has_a_description_for_the_help():
    sections = [Config, *(type(value) for _, value in Config() if isinstance(value, config.Section)), config.LoraConfig]
    assert len(sections) == 13
    for section in [*sections, config.ModelConfig]:
        for name, field in section.model_fields.items():
            assert field.description and field.description.endswith("."), f"{section.__name__}.{name}"


class TestOptions:
    @staticmethod
    def run(*arguments: str):
        seen = {}

        @click.command()
        @options(Config, "model")
        @options(GenerationConfig, "num_problems", "max_thought_tokens", "temperature", "top_p", "engine")
        @options(HardwareConfig, "device")
        @options(SFTConfig, "packing")
        @options(DPOConfig, "loss_type", "loss_weights")
        @options(DataConfig, "label_mix", "train_file")
        @click.option("--data")
        def command(**params):
            seen.update(params)

        result = CliRunner().invoke(command, list(arguments))
        return result, seen

    def overrides(self, *arguments: str) -> list[str]:
        result, params = self.run(*arguments)
        assert result.exit_code == 0, result.output
        sections = ["", "trace_generation", "hardware", "sft", "dpo", "data"]
        return [override for section in sections for override in given(section, params)]

    def test_what_is_not_given_overrides_nothing(self):
        assert self.overrides() == []
        assert self.overrides("--data", "problems.jsonl") == []

    def test_what_is_given_overrides_its_section(self):
        assert self.overrides("--num-problems", "0", "--temperature", "0", "--device", "cpu", "--data", "f") == [
            "trace_generation.num_problems=0",
            "trace_generation.temperature=0.0",
            'hardware.device="cpu"',
        ]

    def test_values_arrive_as_they_were_given(self):
        run = load(
            None,
            self.overrides(
                *("--model", "1e-4", "--no-packing", "--label-mix", "1", "2", "0.5", "--engine", "transformers"),
                *("--loss-type", "sigmoid", "--loss-type", "sft", "--train-file", "a: b = 'ü😀\"\\.jsonl"),
            ),
        )
        assert run.model == "1e-4" and run.sft.packing is False and run.data.label_mix == [1.0, 2.0, 0.5]
        assert run.trace_generation.engine == "transformers" and run.dpo.loss_type == ["sigmoid", "sft"]
        assert run.data.train_file == "a: b = 'ü😀\"\\.jsonl"

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--temperature", "-1"],
            ["--top-p", "0"],
            ["--num-problems", "x"],
            ["--num-problems", "1.5"],
            ["--engine", "vlm"],
            ["--label-mix", "1"],
        ],
    )
    def test_a_wrong_value_is_refused_by_the_option_s_name(self, arguments):
        result, _ = self.run(*arguments)
        assert result.exit_code == 2 and arguments[0] in result.output

    def test_help_comes_from_the_fields(self):
        result, _ = self.run("--help")
        text = " ".join(result.output.split())
        field = GenerationConfig.model_fields["max_thought_tokens"]
        assert f"--max-thought-tokens INTEGER RANGE {field.description} [default: {field.default}] [x>=1]" in text
        assert text.index("--model ") < text.index("--num-problems ") < text.index("--temperature ")
        assert "[0<x<=1]" in text and "--packing / --no-packing" in text and "[default: yes]" in text
        assert "[default: 1.0 1.0 1.0]" in text and "None" not in text

    def test_a_name_that_is_no_field_and_a_field_that_is_a_section(self):
        with pytest.raises(KeyError):
            options(SFTConfig, "epochs")
        with pytest.raises(TypeError, match="lora"):
            options(SFTConfig, "lora")


def test_a_baseline_that_would_repeat_the_loop():
    overrides = ["oak_loop.baselines=[rft, whole]", "preference_pairs.compared=whole"]
    told = "oak_loop.baselines should not name whole where preference_pairs.compared is whole: that is the loop itself"
    with pytest.raises(SokratesError, match=f"^configuration: {re.escape(told)}$"):
        load(None, overrides)
    assert load(None, [overrides[0], "preference_pairs.compared=correction"]).oak_loop.baselines == ["rft", "whole"]


@pytest.mark.parametrize(
    ("name", "baselines"),
    [("baselines", ["sft+", "rft"]), ("ablations", [name for name in get_args(BaselineName) if name != "whole"])],
)
def test_the_baselines_differ_from_the_demo_in_what_they_add_alone(name, baselines):
    demo, more = load(CONFIGS / "demo.yaml"), load(CONFIGS / f"{name}.yaml")
    assert more.oak_loop.baselines == baselines
    assert more.model_copy(update={"oak_loop": demo.oak_loop}) == demo
    assert more.oak_loop.num_iterations == demo.oak_loop.num_iterations
