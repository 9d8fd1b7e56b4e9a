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
                help="all: every token is trained on, as Olive does; completion: only what follows the prompt, or in a "
                "chat only the assistant's turns.",
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
                help="Prompts that the model answers while it trains: at its beginning, now and then, and at its end.",
            ),
            Parameter(
                "samples_every",
                {"any": ["int", "none"]},
                None,
                help="Steps from one answer to the samples to the next; without it, a tenth of the training.",
            ),
            Parameter("samples_tokens", "int", 24, help="How many tokens an answer to a sample has at most."),
            Parameter(
                "trackers",
                {"list": {"enum": ["mlflow", "tensorboard", "wandb"]}},
                [],
                help="Experiment trackers that get parameters, metrics and artefacts as well.",
            ),
            Parameter("azure", {"any": ["map", "none"]}, None, help="Where and how the run takes place in Azure ML."),
        )
    },
)
