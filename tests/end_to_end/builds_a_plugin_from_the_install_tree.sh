. "$(dirname "$0")/common.sh"
new_store store
cmake --install "$TSRUN_BUILD" --prefix "$PWD/first" >install.log || fail "$(tail install.log)"
mv first tree  # relocatable
tree/bin/tsrun --version
cp -r "$TSRUN_SOURCE/docs/examples/plugin" plugin
cmake -S plugin -B plugin/build -G Ninja -DCMAKE_PREFIX_PATH="$PWD/tree" >configure.log 2>&1 || fail "$(tail -n 20 configure.log)"
cmake --build plugin/build >build.log 2>&1 || fail "$(tail -n 20 build.log)"
tree/bin/tsrun plugins --plugins "$PWD/plugin/build" | tee plugins.txt
grep -q "$PWD/plugin/build" plugins.txt || fail "the plugin is not listed"
grep -q trajectory_svd plugins.txt || fail "the install tree's own plugins are not listed"
tree/bin/tsrun plugin/*.lua --plugins "$PWD/plugin/build" --store store --quiet | tee table.txt
