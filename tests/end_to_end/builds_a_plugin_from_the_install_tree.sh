. "$(dirname "$0")/common.sh"
new_store store
cmake --install "$TSRUN_BUILD" --prefix "$PWD/first" >install.log || fail "$(tail install.log)"
mv first tree  # relocatable
tree/bin/tsrun --version
cp -r "$TSRUN_SOURCE/docs/examples/plugin" plugin
cmake -S plugin -B plugin/build -G Ninja -DCMAKE_UNITY_BUILD=ON -DCMAKE_PREFIX_PATH="$PWD/tree" >configure.log 2>&1 || fail "$(tail -n 20 configure.log)"
cmake --build plugin/build >build.log 2>&1 || fail "$(tail -n 20 build.log)"
tree/bin/tsrun plugins --plugins "$PWD/plugin/build" | tee plugins.txt
grep -q "$PWD/plugin/build" plugins.txt || fail "the plugin is not listed"
grep -q trajectory_svd plugins.txt || fail "the install tree's own plugins are not listed"
tree/bin/tsrun plugin/*.lua --plugins "$PWD/plugin/build" --store store --quiet | tee table.txt

# Its sibling: a delta method of one's own, its conformance test, and a line in the recipe of the built-in ones.
cp -r "$TSRUN_SOURCE/docs/examples/delta" delta
[[ $(wc -l <delta/ssf.cpp) -lt 80 ]] || fail "the example has grown beyond 80 lines"
cmake -S delta -B delta/build -G Ninja -DCMAKE_UNITY_BUILD=ON -DCMAKE_PREFIX_PATH="$PWD/tree" >configure.log 2>&1 || fail "$(tail -n 20 configure.log)"
cmake --build delta/build >build.log 2>&1 || fail "$(tail -n 20 build.log)"
ctest --test-dir delta/build --output-on-failure >ctest.log 2>&1 || fail "$(tail -n 40 ctest.log)"
grep -q '100% tests passed, 0 tests failed out of 1' ctest.log || fail "the conformance test did not run: $(cat ctest.log)"
delta/build/ssf_test >conformance.txt || fail "$(tail -n 40 conformance.txt)"
for promise in GradientArrivesThereOnly MergesOrSaysWhyNot TrainsWithinASubspace; do grep -q "OK.*$promise" conformance.txt || fail "no $promise in $(cat conformance.txt)"; done
tree/bin/tsrun tree/share/tsrun/recipes/peft_baselines.lua --plugins "$PWD/delta/build" --store store --quiet --set methods=lora,ssf --set rows=32 --set epochs=1 --set seeds=1 \
  --set rates=1e-3 >ssf.txt || fail "$(cat ssf.txt)"
for method in lora ssf; do grep -q "^$method, lr 0.001 " ssf.txt || fail "no $method in $(cat ssf.txt)"; done

# A selector and a regulariser: their suites, and rows of one table by name.
for kind in selector regularizer; do
  cp -r "$TSRUN_SOURCE/docs/examples/$kind" $kind
  for source in $kind/*.cpp; do [[ $(wc -l <"$source") -lt 60 ]] || fail "$source has grown to 60 lines"; done
  cmake -S $kind -B $kind/build -G Ninja -DCMAKE_UNITY_BUILD=ON -DCMAKE_PREFIX_PATH="$PWD/tree" >configure.log 2>&1 || fail "$(tail -n 20 configure.log)"
  cmake --build $kind/build >build.log 2>&1 || fail "$(tail -n 20 build.log)"
  $kind/build/*_test >conformance.txt || fail "$(tail -n 40 conformance.txt)"
  for promise in RepeatsItself ResumesToTheSameBits ChangesTheTraining; do grep -q "OK.*$promise" conformance.txt || fail "no $promise in $(cat conformance.txt)"; done
done
tree/bin/tsrun selector/step_plugins.lua --plugins "$PWD/selector/build" --plugins "$PWD/regularizer/build" --store store --quiet \
  --set regularizers=r_drop,confidence_penalty | tee steps.txt
for row in full last_layers one_layer r_drop confidence_penalty; do grep -q "^$row " steps.txt || fail "no $row in $(cat steps.txt)"; done
