// The page: cameras in a grid, or one large; who is selected, and why they are called what they are called.

import { Camera } from "./camera.js";
import { Live } from "./live.js";
import { Why } from "./why.js";
import { down } from "./wording.js";

const SAID = { connecting: "Connecting", open: "Connected", lost: "Stance does not answer; trying again" };

const grid = document.getElementById("cameras");
const cameras = new Map();
let selection = null; // { camera, key }

if (location.search) history.replaceState(null, "", location.pathname + location.hash); // the token is in a cookie now

const page = {
  settings: await (await fetch("api/settings")).json(),
  layers: {},
  selected: (camera) => (selection !== null && selection.camera === camera.name ? selection.key : null),
  select(camera, key) {
    selection = { camera: camera.name, key };
    why.open(camera.name, key);
    redraw();
  },
  enlarge(camera) {
    if (cameras.size > 1) location.hash = large() === camera.name ? "" : `#${encodeURIComponent(camera.name)}`;
  },
};

const why = new Why(() => {
  selection = null;
  redraw();
});

function redraw() {
  for (const camera of cameras.values()) {
    camera.draw();
    if (camera.record !== null) camera.list();
  }
}

// The camera that is shown large: the only one, or that in the address.
function large() {
  if (cameras.size === 1) return cameras.keys().next().value;
  let named = "";
  try {
    named = decodeURIComponent(location.hash.slice(1));
  } catch {} // somebody else's hash
  return cameras.has(named) ? named : null;
}

function arrange() {
  const chosen = large();
  grid.classList.toggle("large", chosen !== null);
  grid.classList.toggle("single", cameras.size === 1);
  for (const camera of cameras.values()) {
    camera.element.classList.toggle("chosen", camera.name === chosen);
    camera.enlarge.setAttribute("aria-expanded", String(camera.name === chosen));
  }
}

function tellCameras(states) {
  const before = cameras.size;
  for (const state of states) {
    const camera = cameras.get(state.camera);
    if (camera === undefined) {
      const added = new Camera(state, page);
      cameras.set(state.camera, added);
      grid.append(added.element);
    } else {
      if (camera.told.state !== state.state) {
        document.getElementById("news").textContent = `${state.camera}: ${down(state) || state.state}`;
      }
      camera.tell(state);
    }
  }
  if (cameras.size !== before) {
    arrange();
    watch();
  }
}

// While nobody looks, nothing is sent.
const watch = () => live.watch(document.hidden ? [] : [...cameras.keys()]);

for (const input of document.querySelectorAll("#layers input")) {
  input.checked = page.layers[input.name] = page.settings[input.name];
  input.addEventListener("change", () => {
    page.layers[input.name] = input.checked;
    redraw();
  });
}
window.addEventListener("hashchange", arrange);
document.addEventListener("visibilitychange", watch);

const live = new Live({
  connection(state) {
    const shown = document.getElementById("connection");
    shown.dataset.state = state;
    shown.textContent = SAID[state];
  },
  cameras: tellCameras,
  async scene(record, jpeg) {
    await cameras.get(record.source)?.show(record, jpeg);
  },
});
