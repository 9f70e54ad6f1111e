// One camera on the page: its picture with the people in it, its state, and a button for every person.

import { draw, isSame, labelOf, placement } from "./drawing.js";
import { down, figures, since } from "./wording.js";

const PEOPLE_MS = 250; // between two renewals of the list of people: names that flicker help nobody

export class Camera {
  // page: settings, layers, selected(camera), select(camera, person), enlarge(camera)
  constructor(state, page) {
    this.name = state.camera;
    this.page = page;
    this.record = null;
    this.picture = null;
    this.listed = 0;
    this.element = document.getElementById("camera-template").content.firstElementChild.cloneNode(true);
    const find = (selector) => this.element.querySelector(selector);
    this.canvas = find("canvas");
    this.frame = find(".picture");
    this.down = find(".down");
    this.enlarge = find(".enlarge");
    this.state = find(".state");
    this.figures = find(".figures");
    this.people = find(".people");
    this.buttons = new Map();
    this.enlarge.textContent = this.name;
    this.enlarge.addEventListener("click", () => page.enlarge(this));
    this.canvas.addEventListener("click", (event) => this.click(event));
    this.element.setAttribute("aria-label", this.name);
    this.people.setAttribute("aria-label", `People at ${this.name}`);
    new ResizeObserver(() => this.fit()).observe(this.frame);
    this.tell(state);
  }

  tell(state) {
    this.told = state;
    this.state.textContent = state.live || state.state !== "live" ? state.state : "playing";
    this.state.dataset.state = state.state;
    const sentence = down(state);
    this.down.textContent = sentence;
    this.down.hidden = sentence === "";
    this.element.classList.toggle("away", sentence !== "");
    this.figures.replaceChildren(
      ...figures(state).map(([term, value]) => {
        const pair = document.createElement("div");
        const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
        dt.textContent = term;
        dd.textContent = value;
        pair.append(dt, dd);
        return pair;
      }),
    );
  }

  async show(record, jpeg) {
    const picture = jpeg === null ? null : await createImageBitmap(jpeg);
    this.picture?.close();
    this.picture = picture;
    if (this.record?.width !== record.width || this.record?.height !== record.height) {
      this.frame.style.aspectRatio = `${record.width} / ${record.height}`;
    }
    this.record = record;
    this.draw();
    if (performance.now() - this.listed >= PEOPLE_MS) this.list();
  }

  fit() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(Math.round(this.frame.clientWidth * ratio), 1);
    const height = Math.max(Math.round(this.frame.clientHeight * ratio), 1);
    if (this.canvas.width === width && this.canvas.height === height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.draw();
  }

  draw() {
    if (this.record === null) return;
    const selected = this.page.selected(this);
    draw(this.canvas, this.record, this.picture, this.page.layers, this.page.settings, selected);
  }

  list() {
    this.listed = performance.now();
    const people = this.record.people;
    const selected = this.page.selected(this);
    const keys = new Set();
    for (const person of people) {
      const key = person.track ?? `row ${person.row}`;
      keys.add(key);
      let button = this.buttons.get(key);
      if (button === undefined) {
        button = document.createElement("button");
        button.type = "button";
        button.addEventListener("click", () => this.page.select(this, key));
        const item = document.createElement("li");
        item.append(button);
        this.people.append(item);
        this.buttons.set(key, button);
      }
      const text = [labelOf(person, this.page.settings), since(this.record, person)].filter(Boolean).join(", ");
      if (button.textContent !== text) button.textContent = text;
      button.style.setProperty("--swatch", person.colour);
      button.setAttribute("aria-pressed", String(selected !== null && isSame(person, selected)));
    }
    for (const [key, button] of this.buttons) {
      if (keys.has(key) || button === document.activeElement) continue; // nobody loses the focus from under them
      button.parentElement.remove();
      this.buttons.delete(key);
    }
    this.element.classList.toggle("peopled", people.length > 0);
    this.canvas.setAttribute(
      "aria-label",
      `Picture of ${this.name}: ${people.length === 0 ? "nobody" : people.map((one) => labelOf(one, this.page.settings)).join(", ")}`,
    );
  }

  click(event) {
    if (this.record === null) return;
    const bounds = this.canvas.getBoundingClientRect();
    const { scale, x, y } = placement(this.canvas, this.record);
    const px = (((event.clientX - bounds.left) * this.canvas.width) / bounds.width - x) / scale;
    const py = (((event.clientY - bounds.top) * this.canvas.height) / bounds.height - y) / scale;
    const area = ({ box: [x1, y1, x2, y2] }) => (x2 - x1) * (y2 - y1);
    const hit = this.record.people
      .filter(({ box: [x1, y1, x2, y2] }) => px >= x1 && px <= x2 && py >= y1 && py <= y2)
      .sort((a, b) => area(a) - area(b))[0]; // who stands in front of a larger one can still be clicked
    if (hit) this.page.select(this, hit.track ?? `row ${hit.row}`);
    else this.page.enlarge(this);
  }
}
