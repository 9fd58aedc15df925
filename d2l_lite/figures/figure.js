// Read the controls, compute, and fill the blanks of the picture: what `Figure.picture` does.
function d2lFigure(root, compute, data) {
  const svg = root.querySelector("svg");
  const says = root.querySelector(".says");
  const controls = [...root.querySelectorAll("[name]")];
  // In JupyterLab a letter or an arrow on a control, the widget's too, is no command to the notebook.
  root.closest(".jp-OutputArea")?.addEventListener("focusin", ({ target }) => {
    target.setAttribute("data-lm-suppress-shortcuts", "true");
  });
  const blank = /\{(\w+)(?:\*([-.\d]+))?(?:\+([-.\d]+))?(?::(\d))?\}/g;
  const blanks = [];
  for (const element of svg.querySelectorAll("*")) {
    for (const { name, value } of [...element.attributes]) {
      if (name.startsWith("data-set-")) blanks.push([element, name.slice(9), value]);
    }
  }

  function fill(template, found) {
    return template.replace(blank, (_, name, factor = 1, shift = 0, digits = 2) => {
      const value = found[name];
      return typeof value === "string" ? value : (value * factor + Number(shift)).toFixed(digits);
    });
  }

  function value(control) {
    if (control.type === "checkbox") return control.checked;
    return control.type === "range" ? Number(control.value) : control.value;
  }

  function show() {
    const found = compute(Object.fromEntries(controls.map((c) => [c.name, value(c)])), data);
    for (const [element, name, template] of blanks) {
      const text = fill(template, found);
      if (name === "text") element.textContent = text;
      else element.setAttribute(name, text);
    }
    for (const control of controls) {
      const output = control.parentElement.querySelector("output");
      if (output) output.textContent = control.value;
    }
    says.textContent = fill(says.dataset.says, found);
  }

  // A handle with data-drag-y="score0*-20+90" stands at y = 90 - 20 · score0; dragging it moves the
  // slider of that name. While a slider has the keyboard's focus, its handle shows it.
  function rules(handle) {
    return ["x", "y"].flatMap((axis) => {
      const rule = handle.getAttribute("data-drag-" + axis);
      if (!rule) return [];
      const [, name, factor, shift] = rule.match(/^(\w+)\*([-.\d]+)\+([-.\d]+)$/);
      return { axis, factor, shift, slider: controls.find((control) => control.name === name) };
    });
  }

  function drag(handle, event) {
    const screen = new DOMPoint(event.clientX, event.clientY);
    const point = screen.matrixTransform(svg.getScreenCTM().inverse());
    for (const { axis, factor, shift, slider } of rules(handle)) {
      slider.value = (point[axis] - shift) / factor;
    }
    show();
  }

  for (const handle of svg.querySelectorAll("[data-drag-x], [data-drag-y]")) {
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.setPointerCapture(event.pointerId);
      handle.onpointermove = (moved) => drag(handle, moved);
    });
    if (handle.matches(".track")) handle.addEventListener("click", (event) => drag(handle, event));
    for (const end of ["pointerup", "pointercancel"]) {
      handle.addEventListener(end, () => (handle.onpointermove = null));
    }
    for (const { slider } of rules(handle)) {
      slider.addEventListener("focus", () => handle.classList.add("focused"));
      slider.addEventListener("blur", () => handle.classList.remove("focused"));
    }
  }
  for (const control of controls) control.addEventListener("input", show);
  root.querySelector(".controls").hidden = false;
  show();
}
