"""tidy_batch.py CLANG_TIDY BUILD_FOLDER BATCH SOURCE...

clang-tidy over SOURCEs as one translation unit, because nine tenths of its time go into the headers
of what it looks at. BATCH.cc holds their texts, each with its unnamed namespace and its main() for
itself: of files that are included, clang-tidy and its static analyzer look at less. Says nothing and
leaves BATCH if there is nothing to say; prints what was found, by source and line, and fails
otherwise. Sources that do not compile together all the same are looked at apart. The .clang-tidy above
BATCH holds for all of them.
"""

import json
import os
import re
import shlex
import subprocess
import sys

# True where several sources stand in one file, and of nothing of ours.
NOT_OF_BATCHES = "-readability-duplicate-include,-readability-redundant-declaration"

# The static analyzer follows calls from one source of a batch into another. A quarter of its default
# number of steps in a function is three quarters of its time less, and found what was put in.
ANALYZER = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=50000"]


def first_commands(build_folder):
    """The first command of each source: several programs may compile it, and one look is enough.

    CMake lists the library's own commands first."""
    commands = {}
    with open(os.path.join(build_folder, "compile_commands.json"), encoding="utf-8") as file:
        for entry in json.load(file):
            commands.setdefault(entry["file"], entry)
    return commands


def command_of(entry):
    """The compiler and its flags, without what names this one source."""
    words = shlex.split(entry["command"])
    if os.path.basename(words[0]) == "ccache":
        del words[0]
    output = words.index("-o")
    del words[output : output + 2]
    return [word for word in words if word not in ("-c", entry["file"])]


def apart(line, place):
    """The line so that what a source has for itself is its own in a batch as well."""
    if line == "namespace {\n":
        return f"namespace {{ inline namespace source_{place} {{\n"
    if line == "}  // namespace\n":
        return "}}  // namespace\n"
    line = line.replace("int main(", f"int Program{place}(")
    return line.replace("LLVMFuzzerTestOneInput", f"Fuzz{place}")


class Batch:
    """Sources in one file; `find` names one of its lines as the reader knows it."""

    def __init__(self, file_name, sources):
        self.file_name = file_name
        self.lines = [None]  # they count from 1
        with open(file_name, "w", encoding="utf-8") as file:
            for place, source in enumerate(sources):
                with open(source, encoding="utf-8") as text:
                    for number, line in enumerate(text, 1):
                        file.write(line if len(sources) == 1 else apart(line, place))
                        self.lines.append((source, number))

    def run(self, command):
        """Its exit status, what it said, and the sources in which it found errors."""
        ended = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        named = set()

        def find(match):
            source, number = self.lines[int(match.group(1))]
            if match.group(2) is not None:
                named.add(source)
            return f"{source}:{number}:{match.group(2) or ''}"

        here = re.escape(self.file_name)
        said = re.sub(rf"{here}:(\d+):(\d+: (?:fatal )?error:)?", find, ended.stdout)
        return ended.returncode, said, named


def parts_that_compile(file_name, compiler, sources):
    """The sources, or lists of some of them: what clashes with those before it stands apart."""
    if len(sources) == 1:
        return [sources]
    status, _, named = Batch(file_name, sources).run([*compiler, "-w", "-fsyntax-only", file_name])
    if status == 0:
        return [sources]
    clashing = [source for source in sources[1:] if source in named]
    if not clashing:
        clashing = sources[len(sources) // 2 :]
    rest = [source for source in sources if source not in clashing]
    return [
        part
        for some in (rest, clashing)
        for part in parts_that_compile(file_name, compiler, some)
    ]


def look(clang_tidy, file_name, compiler, sources):
    """True if nothing is found; prints it otherwise."""
    batch = Batch(file_name, sources)
    command = [clang_tidy, "--quiet", file_name]
    flags = [*compiler[1:], *ANALYZER]
    if len(sources) > 1:
        command.append("--checks=" + NOT_OF_BATCHES)
        flags.append("-w")  # a name may hide that of another source; compilers look at each alone
    status, said, _ = batch.run([*command, "--", *flags])
    if status != 0:
        print(re.sub(r"(?m)^\d+ warnings? generated\.\n", "", said), end="")
    return status == 0


def main(clang_tidy, build_folder, stamp, *sources):
    commands = first_commands(build_folder)
    by_command = {}
    for source in sources:
        by_command.setdefault(tuple(command_of(commands[source])), []).append(source)

    os.makedirs(os.path.dirname(stamp), exist_ok=True)
    file_name = stamp + ".cc"
    all_clean = True
    for command, some in by_command.items():
        # As where a source stands by itself, its own folder is looked in.
        folders = sorted({os.path.dirname(source) for source in some})
        compiler = [*command, *(word for folder in folders for word in ("-iquote", folder))]
        for part in parts_that_compile(file_name, compiler, some):
            all_clean = look(clang_tidy, file_name, compiler, part) and all_clean
    if not all_clean:
        return 1
    with open(stamp, "w", encoding="utf-8"):
        return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
