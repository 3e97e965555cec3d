#!/usr/bin/env bash
# scripts/check_includes on this tree, and on small trees with one violation each: what it must say, and that it fails.
set -euo pipefail
check=$TSRUN_SOURCE/scripts/check_includes
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tsrun-test-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

"$check" || fail "this tree has includes that it refuses"

plant() { mkdir -p "$scratch/$(dirname "$1")"; printf '%s\n' "${@:2}" >"$scratch/$1"; }
fresh() {
  rm -rf "${scratch:?}"/*
  plant runtime/CMakeLists.txt 'foreach(room base text data)'
  plant runtime/include/tsrun/text/words.h '#include "tsrun/base/error.h"  // for "this"'
  plant runtime/src/text/words.cpp '#include "tsrun/text/words.h"' '#include "text/cut.h"' '#include <vector>' '#include "beside.h"'
  plant runtime/src/text/cut.h 'namespace tsrun {' 'class Words;' '' '}  // namespace tsrun' '' 'namespace tsrun::text {' 'void cut(Words& words);' '}  // namespace tsrun::text'
  plant runtime/src/text/marks.h 'namespace tsrun::text::marks {' '}  // namespace tsrun::text::marks'
  plant runtime/src/train/step.h 'namespace tsrun::training {' '}  // namespace tsrun::training'
  plant tests/unit/text/words_test.cpp '#include "text/cut.h"' '#include "tsrun/data/task.h"' '#include "support/errors.h"'
  plant tests/fuzz/words_fuzz.cpp '#include "text/cut.h"'
  plant plugins/lora/lora.cpp '#include "lora.h"' '#include <tsrun/data/task.h>'
}
refuses() { # MESSAGE FILE LINES…
  fresh
  plant "${@:2}"
  local said
  said=$("$check" "$scratch" 2>&1) && fail "'$1' expected, but it passed"
  [[ $said == *"$1"* ]] || fail "'$1' expected, found: $said"
}

fresh; "$check" "$scratch" || fail "a tree without violations is refused"
refuses 'runtime/src/text/up.cpp:2: found #include "tsrun/data/task.h", expected rooms up to text alone (base, text)' \
  runtime/src/text/up.cpp '#include <vector>' '#include "tsrun/data/task.h"'
refuses 'runtime/include/tsrun/base/up.h:1: found #include <tsrun/text/words.h>, expected rooms up to base alone (base)' \
  runtime/include/tsrun/base/up.h '#  include <tsrun/text/words.h>'
refuses 'runtime/src/data/reach.cpp:1: found #include "text/cut.h", expected no private header of room text (tsrun/text/…)' runtime/src/data/reach.cpp '#include "text/cut.h"'
refuses 'runtime/include/tsrun/text/own.h:1: found #include "text/cut.h", expected public headers in a public header' \
  runtime/include/tsrun/text/own.h '#include "text/cut.h"'
refuses 'tests/unit/data/reach_test.cpp:1: found #include "text/cut.h", expected no private header' tests/unit/data/reach_test.cpp '#include "text/cut.h"'
refuses 'plugins/lora/reach.cpp:1: found #include "text/cut.h", expected no private header' plugins/lora/reach.cpp '#include "text/cut.h"'
refuses 'plugins/lora/path.cpp:1: found #include "../../runtime/src/text/cut.h", expected a path from an include folder' \
  plugins/lora/path.cpp '#include "../../runtime/src/text/cut.h"'
refuses 'runtime/src/attic/new.cpp: found room attic, expected one of runtime/CMakeLists.txt: base text data app' runtime/src/attic/new.cpp '#include <vector>'
refuses 'runtime/src/text/plain.h:2: found namespace tsrun, expected namespace tsrun::text for names of a private header' \
  runtime/src/text/plain.h '#include <vector>' 'namespace tsrun {' 'class Words;' 'void cut(Words& words);' '}  // namespace tsrun'
refuses 'runtime/src/text/other.h:1: found namespace tsrun::data, expected namespace tsrun::text for names of a private header' \
  runtime/src/text/other.h 'namespace tsrun::data {' '}  // namespace tsrun::data'
refuses 'runtime/src/text/alike.h:1: found namespace tsrun::texts, expected namespace tsrun::text for' runtime/src/text/alike.h 'namespace tsrun::texts {'
refuses 'runtime/src/train/room.h:1: found namespace tsrun::train, expected namespace tsrun::training for' runtime/src/train/room.h 'namespace tsrun::train {'
