#!/usr/bin/env python3
"""Whether each source includes the standard headers it uses, itself or through the project's own headers.

No compiler says so, because those of cmake/library_headers.h come to every file precompiled. Prints "FILE: #include <HEADER>"
for each that is missing; the exit code is 1 then.
"""

import functools
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ALGORITHMS = "sort|find|find_if|any_of|all_of|none_of|transform|copy|copy_if|move|replace_if|count_if|max_element|min_element|equal|reverse"
USES = {header: re.compile(pattern) for header, pattern in {
    "algorithm": rf"std::(ranges::({_ALGORITHMS}|lower_bound|upper_bound)|min|max|sort|clamp|unique|reverse)\(",
    "array": r"std::array\b",
    "chrono": r"std::chrono\b",
    "functional": r"std::(function\b|less<>|identity\b)",
    "map": r"std::(multi)?map\b",
    "memory": r"std::(unique_ptr|shared_ptr|weak_ptr|make_unique|make_shared)\b",
    "mutex": r"std::(mutex|scoped_lock|unique_lock|once_flag|call_once)\b",
    "optional": r"std::(optional|nullopt)\b",
    "set": r"std::set\b",
    "span": r"std::span\b",
    "string": r"std::(string|to_string)\b",
    "string_view": r"std::string_view\b",
    "variant": r"std::(variant|get_if|visit|monostate|holds_alternative)\b",
    "vector": r"std::vector\b",
}.items()}
_NO_CODE = re.compile(r'//[^\n]*|"(\\.|[^"\\\n])*"')
_INCLUDE = re.compile(r'^#include [<"]([^>"]+)[>"]', re.M)


def sources():
    listed = subprocess.run(["git", "ls-files", "base", "network", "volume", "plugin-api"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.split()
    return {name: (ROOT / name).read_text() for name in listed if name.endswith((".h", ".cpp"))}


def missing(texts):
    """[(file, header)]"""
    included = {name: _INCLUDE.findall(text) for name, text in texts.items()}

    @functools.lru_cache(maxsize=None)
    def reached(name):
        return frozenset(included[name]).union(*(reached(each) for each in included[name] if each in included))

    return [(name, header) for name, text in texts.items() for code in [_NO_CODE.sub("", text)]
            for header, uses in USES.items() if uses.search(code) and header not in reached(name)]


def main():
    found = missing(sources())
    for name, header in found:
        print(f"{name}: #include <{header}>")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
