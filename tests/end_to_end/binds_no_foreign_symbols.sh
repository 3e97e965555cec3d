. "$(dirname "$0")/common.sh"
# LibTorch's wheels export parts of a standard library of their own. What libstdc++ exports, our files must get from libstdc++.
command -v nm >/dev/null || { echo "SKIPPED: nm is not there"; exit 77; }
standard=$(ldd "$TSRUN" | awk '/libstdc\+\+/{print $3}')
nm -D --defined-only "$standard" | awk '{sub(/@.*/, "", $3); print $3}' | sort -u >exported.txt
[[ $(wc -l <exported.txt) -gt 1000 ]] || fail "$standard exports $(wc -l <exported.txt) symbols only"
LD_BIND_NOW=1 LD_DEBUG=bindings LD_DEBUG_OUTPUT=bindings "$TSRUN" plugins >plugins.txt
grep -q lora plugins.txt || fail "the plugins were not loaded"
# binding file FROM [0] to TO [0]: normal symbol `NAME' [VERSION]
cat bindings.* | awk -v build="$TSRUN_BUILD/" '
  FNR == NR && FILENAME == "exported.txt" { exported[$1] = 1; next }
  !/binding file / { next }
  { for (i = 1; i <= NF; ++i) { if ($i == "file") from = $(i + 1); if ($i == "to") to = $(i + 1); if ($i == "symbol") name = $(i + 1) }
    gsub(/[`\047]/, "", name)
    if (index(from, build) != 1 || !(name in exported)) next
    ++seen
    if (index(to, build) != 1 && to !~ /lib(stdc\+\+|gcc_s|c|m)\.so/) print name " of " from " is bound to " to }
  END { print seen + 0 > "seen.txt" }' exported.txt - | sort -u >foreign.txt
[[ $(cat seen.txt) -gt 100 ]] || fail "only $(cat seen.txt) bindings were seen"
[[ ! -s foreign.txt ]] || fail "standard-library symbols from elsewhere: $(head -n 20 foreign.txt | c++filt)"
echo "$(cat seen.txt) bindings of standard-library symbols, none foreign"
