"""The small programs of an export: the training template's prompt, answered in Python and in C#.

The prompt is the template up to the answer, between the special tokens of training. Trailing spaces are left to the
model: in training they are the beginning of the answer's first token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from phinb.data.template import Part

NEW_TOKENS = 64
"""How far an answer may go where the model does not end it."""

NO_WORD = r"\W"


@dataclass(frozen=True)
class Prompt:
    """`lead` stands before the template's `parts` (the first special token and its space, or nothing)."""

    parts: tuple[Part, ...]
    lead: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that have to be given, in their order."""
        return tuple(dict.fromkeys(part.field for part in self.parts if part.field is not None))

    @property
    def pieces(self) -> tuple[Part, ...]:
        """The lead and the parts, the last one's trailing spaces left out."""
        parts = [Part(text=self.lead), *self.parts]
        if parts[-1].field is None:
            parts[-1] = Part(text=parts[-1].text.rstrip(" "))
        return tuple(part for part in parts if part.field is not None or part.text)

    def fill(self, values: Mapping[str, str]) -> str:
        return self.as_format().format(**values)

    def as_format(self) -> str:
        """As str.format reads it."""
        return "".join(map(_write_part, self.pieces))


def _write_part(part: Part) -> str:
    if part.field is None:
        return part.text.replace("{", "{{").replace("}", "}}")
    conversion = f"!{part.conversion}" if part.conversion else ""
    return f"{{{part.field}{conversion}{f':{part.spec}' if part.spec else ''}}}"


def usage(prompt: Prompt) -> str:
    """`"PHRASE" "TOPIC"`: what a program is given."""
    return " ".join(f'"{re.sub(NO_WORD, "_", field).upper()}"' for field in prompt.fields)


def write_genai_program(prompt: Prompt) -> str:
    """run.py of an ONNX model."""
    return f'''"""python run.py {usage(prompt)} answers the prompt that this model was trained on."""

import sys
from pathlib import Path

import onnxruntime_genai as og

values = dict(zip({_names(prompt)}, sys.argv[1:], strict=True))
prompt = {_literal(prompt)}.format(**values)
model = og.Model(str(Path(__file__).parent))
tokenizer = og.Tokenizer(model)
tokens = tokenizer.encode(prompt)
parameters = og.GeneratorParams(model)
parameters.set_search_options(do_sample=False, max_length=len(tokens) + {NEW_TOKENS})
generator = og.Generator(model, parameters)
generator.append_tokens(tokens)
while not generator.is_done():
    generator.generate_next_token()
print(tokenizer.decode(generator.get_sequence(0)[len(tokens) :]).strip())
'''


def write_transformers_program(prompt: Prompt, *, adapter: bool, trust_remote_code: bool = False) -> str:
    """run.py of a PyTorch model; an adapter's base lies in the folder base/ beside it."""
    trust = ", trust_remote_code=True" if trust_remote_code else ""
    place = 'folder / "base"' if adapter else "folder"
    model = f'AutoModelForCausalLM.from_pretrained({place}, dtype="auto"{trust})'
    on_top = "\nmodel = PeftModel.from_pretrained(model, folder)" if adapter else ""
    peft = "from peft import PeftModel\n" if adapter else ""
    return f'''"""python run.py {usage(prompt)} answers the prompt that this model was trained on."""

import sys
from pathlib import Path

{peft}from transformers import AutoModelForCausalLM, AutoTokenizer

values = dict(zip({_names(prompt)}, sys.argv[1:], strict=True))
prompt = {_literal(prompt)}.format(**values)
folder = Path(__file__).resolve().parent
tokenizer = AutoTokenizer.from_pretrained(folder{trust})
model = {model}{on_top}
asked = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
ids, mask = asked["input_ids"], asked["attention_mask"]
output = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens={NEW_TOKENS}, do_sample=False)
print(tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True).strip())
'''


def write_csharp_program(prompt: Prompt) -> str:
    """Program.cs, run.py's twin. A format of the template (`{x:>8}`) is not carried over; a comment says so."""
    places = {field: index for index, field in enumerate(prompt.fields)}
    pieces = [
        _csharp_text(part.text) if part.field is None else f"args[{places[part.field]}]" for part in prompt.pieces
    ]
    plain = all(not part.spec and part.conversion in (None, "s") for part in prompt.pieces)
    note = "" if plain else "// The template formats its values; give them as they are to be read.\n"
    return f"""// dotnet run -- {usage(prompt)} answers the prompt that this model was trained on.
using Microsoft.ML.OnnxRuntimeGenAI;

{note}string prompt = {" + ".join(pieces) or '""'};
using OgaHandle handle = new OgaHandle();
using Model model = new Model(".");
using Tokenizer tokenizer = new Tokenizer(model);
using Sequences tokens = tokenizer.Encode(prompt);
int asked = tokens[0].Length;
using GeneratorParams parameters = new GeneratorParams(model);
parameters.SetSearchOption("do_sample", false);
parameters.SetSearchOption("max_length", asked + {NEW_TOKENS});
using Generator generator = new Generator(model, parameters);
generator.AppendTokenSequences(tokens);
while (!generator.IsDone())
{{
    generator.GenerateNextToken();
}}
Console.WriteLine(tokenizer.Decode(generator.GetSequence(0)[asked..]).Trim());
"""


def write_csharp_project(package: str, version: str) -> str:
    """The project file; `package` with its version from NuGet, where it bears the number that it has on PyPI."""
    return f"""<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net8.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
    <Nullable>enable</Nullable>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="{package}" Version="{version}" />
  </ItemGroup>
</Project>
"""


def _names(prompt: Prompt) -> str:
    return f"[{', '.join(json.dumps(field, ensure_ascii=False) for field in prompt.fields)}]"


def _literal(prompt: Prompt) -> str:
    """A Python literal on one line."""
    return repr(prompt.as_format())


def _csharp_text(text: str) -> str:
    """A C# literal: JSON's escapes are C#'s, too."""
    return json.dumps(text)


def package_of(providers: Sequence[str]) -> tuple[str, str]:
    """(PyPI's, NuGet's) name of onnxruntime-genai for the execution providers that genai_config.json names."""
    named = {provider.lower() for provider in providers}
    if "cuda" in named:
        return "onnxruntime-genai-cuda", "Microsoft.ML.OnnxRuntimeGenAI.Cuda"
    if "dml" in named:
        return "onnxruntime-genai-directml", "Microsoft.ML.OnnxRuntimeGenAI.DirectML"
    return "onnxruntime-genai", "Microsoft.ML.OnnxRuntimeGenAI"
