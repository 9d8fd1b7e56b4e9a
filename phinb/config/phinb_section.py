"""What is ours and not Olive's: the section `phinb` of a configuration, its keys, types and defaults."""

from __future__ import annotations

from phinb.config.schema import Group, Parameter

PHINB = Group(
    "the phinb section",
    {
        parameter.name: parameter
        for parameter in (
            Parameter(
                "seed",
                "int",
                42,
                help="Seeds the adapter's first weights, which Olive does not. The order of the data follows "
                "training_args.seed, which is by default the same.",
            ),
            Parameter(
                "loss_on",
                {"enum": ["all", "completion"]},
                "all",
                help="all: every token is trained on, as Olive does; completion: only what follows the prompt.",
            ),
            Parameter(
                "eval_split",
                {"any": ["float", "none"]},
                None,
                help="The share of the tokenised sequences, shuffled with seed 42, that is kept for evaluation.",
            ),
            Parameter(
                "answer",
                {"any": ["str", "none"]},
                None,
                help="The column to be predicted; without it, the last field of the template.",
            ),
            Parameter(
                "labels",
                {"any": [{"list": "str"}, "none"]},
                None,
                help="The answers to choose from; without it, those that occur in the data.",
            ),
            Parameter(
                "samples",
                {"list": "str"},
                [],
                help="Prompts that the model answers every now and then while it trains.",
            ),
            Parameter(
                "trackers",
                {"list": {"enum": ["mlflow", "tensorboard", "wandb"]}},
                [],
                help="Experiment trackers that get the metrics as well.",
            ),
            Parameter("azure", {"any": ["map", "none"]}, None, help="Where and how the run takes place in Azure ML."),
        )
    },
)
