// A photo with its faces: a tick for each, and further boxes drawn by hand. props.value is JSON, see faces.py.
const known = JSON.parse(props.value || "null");
let state = known, start = null;

const add = (parent, name, attributes) => {
  const svg = name === "svg" || name === "rect" || name === "text";
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return parent.appendChild(made);
};
const keep = () => { props.value = JSON.stringify(state); draw(); };
const ordered = (one, other) => [0, 1, 2, 3].map((i) => (i < 2 ? Math.min : Math.max)(one[i % 2], other[i % 2]));

function place(svg, event) {
  const box = svg.getBoundingClientRect();
  const part = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  return part.map((value, i) => Math.min(Math.max(value, 0), 1) * state.size[i]);
}

function rectangle(svg, box, stroke) {
  const width = Math.max(...state.size) / 250;
  return add(svg, "rect", { x: box[0], y: box[1], width: box[2] - box[0], height: box[3] - box[1],
    fill: "none", stroke, "stroke-width": width });
}

function draw() {
  const root = element.querySelector(".faces");
  root.replaceChildren();
  if (!state) return;
  const frame = add(root, "div", { class: "frame" });
  add(frame, "img", { src: state.url, alt: "", draggable: "false" });
  const svg = add(frame, "svg", { viewBox: `0 0 ${state.size.join(" ")}`, preserveAspectRatio: "none" });
  const ticks = add(root, "div", { class: "ticks" });
  state.faces.forEach((face, i) => {
    rectangle(svg, face.box, face.on ? "#16c60c" : "#8a8a8a");
    const text = add(svg, "text", { x: face.box[0], y: face.box[1], fill: "#16c60c", stroke: "#000",
      "stroke-width": Math.max(...state.size) / 1200, "font-size": Math.max(...state.size) / 25 });
    text.textContent = i + 1;
    const label = add(ticks, "label", {});
    const tick = add(label, "input", { type: "checkbox" });
    tick.checked = face.on;
    tick.onchange = () => { face.on = tick.checked; keep(); };
    label.append(` ${i + 1}`);
    if (face.points) return;
    const remove = add(ticks, "button", { type: "button", "aria-label": `remove ${i + 1}` });
    remove.textContent = "×";
    remove.onclick = () => { state.faces.splice(i, 1); keep(); };
  });
  svg.onpointerdown = (event) => { start = place(svg, event); svg.setPointerCapture(event.pointerId); };
  svg.onpointermove = (event) => {
    if (!start) return;
    svg.querySelector(".new")?.remove();
    rectangle(svg, ordered(start, place(svg, event)), "#ffb900").setAttribute("class", "new");
  };
  svg.onpointercancel = () => { start = null; draw(); };
  svg.onpointerup = (event) => {
    const box = start && ordered(start, place(svg, event));
    start = null;
    const least = Math.max(...state.size) / 50;
    if (box && box[2] - box[0] > least && box[3] - box[1] > least) state.faces.push({ box, points: null, on: true });
    keep();
  };
}

draw();
watch("value", () => { state = JSON.parse(props.value || "null"); draw(); });
