"""Where and how a run takes place in Azure ML: the section `phinb.azure`, its keys, types and defaults.

Olive reached Azure ML itself until 0.9.2; what its configurations say of it (azureml_client, systems of type AzureML,
workflow_host, packaging into the workspace) stands here in today's form, so that what Olive gets is pure. The
workspace and the target may stand side by side where there is one target:

    "phinb": {"azure": {"config_file": "config.json", "compute": "gpu-cluster",
                        "environment": {"image": "mcr.microsoft.com/...", "conda_file": "conda.yaml"}}}

Of several targets each has its name under `targets`; what it does not say itself it takes from the section, and
`target` names the one that a run goes to (the first, where it is left out).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from phinb.config.checks.rules import Bounds
from phinb.config.schema import Group, Kind, Parameter

TEXT: Kind = {"any": ["str", "none"]}
_MAP: Kind = {"any": ["map", "none"]}


def _group(name: str, parameters: Iterable[Parameter]) -> Group:
    return Group(name, {parameter.name: parameter for parameter in parameters})


ENVIRONMENT = _group(
    "the environment",
    (
        Parameter("image", TEXT, None, help="The Docker image that the job runs in."),
        Parameter("conda_file", TEXT, None, help="A conda file whose packages are put on top of the image."),
        Parameter("dockerfile", TEXT, None, help="The Dockerfile that makes the image; in build_context."),
        Parameter("build_context", TEXT, None, help="The folder that the image is built from."),
        Parameter("name", TEXT, None, help="An environment of the workspace, or the name that a new one gets."),
        Parameter("version", TEXT, None, help="The environment's version; without it and label, the newest."),
        Parameter("label", TEXT, None, help="The environment's label, e.g. latest."),
    ),
)

TARGET = _group(
    "an Azure target",
    (
        Parameter("compute", TEXT, None, help="A cluster, or an attached Kubernetes compute. None: serverless."),
        Parameter("instance_type", TEXT, None, help="The machine's size; of Kubernetes, the name of its type."),
        Parameter("instance_count", "int", 1, help="How many machines (nodes) the job gets."),
        Parameter("namespace", TEXT, None, help="The Kubernetes namespace that the compute was attached with."),
        Parameter("shm_size", TEXT, None, help="Shared memory of the container, e.g. 8g."),
        Parameter("docker_args", TEXT, None, help="Further arguments of docker run."),
        Parameter("environment", _MAP, None, help="Image and packages. None: phinb makes a pinned one."),
        Parameter(
            "identity",
            {"any": [{"enum": ["managed", "user"]}, "none"]},
            None,
            help="Who the job is in the workspace: the compute's managed identity, or you. None: the default.",
        ),
        Parameter("hf_token", "bool", False, help="Read the Hugging Face token from the key vault, inside the job."),
        Parameter("tags", _MAP, None, help="Tags of the job, names to texts."),
    ),
)

REGISTRATION = _group(
    "a registration",
    (
        Parameter("name", "str", None, True, help="The name that the asset gets in the workspace."),
        Parameter("kind", {"enum": ["model", "data"]}, "model", help="What it is registered as."),
        Parameter("version", TEXT, None, help="Without one, the workspace counts on."),
        Parameter("description", TEXT, None, help="A sentence that the workspace shows."),
        Parameter("mlflow", "bool", False, help="Register it in the MLflow format."),
    ),
)

AZURE = _group(
    "phinb.azure",
    (
        Parameter("subscription_id", TEXT, None, help="The subscription that the workspace belongs to."),
        Parameter("resource_group", TEXT, None, help="The workspace's resource group."),
        Parameter("workspace_name", TEXT, None, help="The Azure ML workspace."),
        Parameter("config_file", TEXT, None, help="The workspace's config.json; it replaces the three names."),
        Parameter("credential", _MAP, None, help="Parameters of DefaultAzureCredential; no secrets."),
        Parameter("keyvault", TEXT, None, help="The key vault with the Hugging Face token. None: the workspace's own."),
        Parameter("hf_token_secret", "str", "hf-token", help="The name of the token's secret in the key vault."),
        Parameter("datastore", TEXT, None, help="The datastore that takes the outputs. None: the workspace's default."),
        Parameter(
            "model_type",
            {"any": [{"enum": ["custom_model", "mlflow_model"]}, "none"]},
            None,
            help="The type of a model that lies in Azure. None: the workspace is asked.",
        ),
        Parameter("register", {"any": [{"list": "map"}, "none"]}, None, help="What is registered when a run is done."),
        Parameter(
            "deployment", _MAP, None, help="How old Olive deployed the model; phinb keeps it and does not do it."
        ),
        *TARGET.parameters.values(),
        Parameter("targets", _MAP, None, help="Several targets by name; each takes the keys of a target."),
        Parameter("target", TEXT, None, help="The name of the target that a run goes to."),
    ),
)

AZURE_BOUNDS: Mapping[str, Bounds] = {"instance_count": Bounds(1)}

WORKSPACE_KEYS = ("subscription_id", "resource_group", "workspace_name")


def azure_target(section: Mapping[str, Any], name: str | None = None) -> dict[str, Any]:
    """What one target says, defaults included: its own keys over the section's. `name` is by default `target`'s.

    section: the plain `phinb.azure`. The result has the keys of TARGET.

    Raises:
        KeyError: there is no target of that name.
    """
    defaults = {key: parameter.default for key, parameter in TARGET.parameters.items()}
    shared = {key: value for key, value in section.items() if key in defaults and value is not None}
    targets = section.get("targets") or {}
    chosen = name or section.get("target") or next(iter(targets), None)
    own = {} if chosen is None else targets[chosen] or {}
    return {**defaults, **shared, **{key: value for key, value in own.items() if value is not None}}
