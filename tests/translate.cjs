// Runs translator.js for test_export.py: reads {files, calls} as JSON, writes a list of results.
// `files` are exported weights. A call is [name of the weights, method, arguments ...]; its result
// is {value}, or {error} with the message; of the method "steps" the value is a list of all steps.

const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

// As a <script> of a page would be: in the global scope, where a faulty one stops nothing else.
function run(file) {
  try {
    vm.runInThisContext(fs.readFileSync(file, "utf8"), file);
  } catch (error) {
    console.error(`${file}: ${error.message}`);
  }
}

const { files, calls } = JSON.parse(fs.readFileSync(0, "utf8"));
run(path.join(__dirname, "..", "d2l_lite", "figures", "translator.js"));
files.forEach(run);

const loaded = new Map();

function answer([name, method, ...values]) {
  try {
    if (!loaded.has(name)) loaded.set(name, d2lTranslator.load(name));
    const found = loaded.get(name)[method](...values);
    return { value: method === "steps" ? [...found] : found };
  } catch (error) {
    return { error: error.message };
  }
}

const plain = (key, value) => (ArrayBuffer.isView(value) ? [...value] : value);
console.log(JSON.stringify(calls.map(answer), plain));
