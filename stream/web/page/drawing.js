// Draws a scene: the picture, and over it boxes, skeletons and labels. Colours are those of annotated videos.

import { name, percent, readable } from "./wording.js";

const LEFT = "#28a0ff"; // the person's own left is blue, right is orange
const RIGHT = "#ff8c1e";
const MIDDLE = "#ebebeb";
const INK = "#141414";
const PLAIN = "#303030";

const side = (point) => (point === 0 ? MIDDLE : point % 2 === 1 ? LEFT : RIGHT); // COCO: odd numbers are left

// How a frame of this size lies in the canvas: as large as fits, in the middle.
export function placement(canvas, record) {
  const scale = Math.min(canvas.width / record.width, canvas.height / record.height);
  return { scale, x: (canvas.width - record.width * scale) / 2, y: (canvas.height - record.height * scale) / 2 };
}

export function draw(canvas, record, picture, layers, settings, selected) {
  const context = canvas.getContext("2d");
  const { scale, x, y } = placement(canvas, record);
  const ratio = window.devicePixelRatio || 1;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#22282d";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (picture) context.drawImage(picture, x, y, record.width * scale, record.height * scale);
  else {
    context.fillStyle = PLAIN;
    context.fillRect(x, y, record.width * scale, record.height * scale);
  }
  const place = ([px, py]) => [x + px * scale, y + py * scale];
  const people = record.people;
  if (layers.skeletons) for (const person of people) skeleton(context, person, place, scale, ratio, settings);
  for (const person of people) {
    const chosen = selected !== null && isSame(person, selected);
    if (layers.boxes || chosen) box(context, person, place, chosen ? 3.5 * ratio : 1.75 * ratio);
  }
  if (!layers.labels) return;
  const taken = [];
  for (const person of people.toSorted((a, b) => a.box[1] - b.box[1])) label(context, person, place, ratio, canvas, taken, settings);
}

export const isSame = (person, key) => (person.track ?? `row ${person.row}`) === key;

function box(context, person, place, width) {
  const [x1, y1] = place(person.box);
  const [x2, y2] = place(person.box.slice(2));
  context.lineWidth = width;
  context.strokeStyle = person.colour;
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
}

function skeleton(context, person, place, scale, ratio, settings) {
  const seen = person.keypoints.map(([px, py, score]) => px !== null && py !== null && score >= settings.keypoint_threshold);
  const span = scale * Math.max(person.box[2] - person.box[0], person.box[3] - person.box[1]);
  const width = Math.max(Math.min(span / 50, 4 * ratio), ratio);
  const limbs = settings.limbs.filter(([a, b]) => seen[a] && seen[b]);
  context.lineCap = "round";
  for (const edge of [true, false]) {
    context.lineWidth = edge ? width + Math.max(width, 2) : width;
    for (const [a, b] of limbs) {
      const [from, to] = [place(person.keypoints[a]), place(person.keypoints[b])];
      const across = a !== 0 && b !== 0 && a % 2 !== b % 2;
      context.strokeStyle = edge ? INK : across ? MIDDLE : side(a === 0 ? b : a);
      context.beginPath();
      context.moveTo(...from);
      context.lineTo(...to);
      context.stroke();
    }
  }
  person.keypoints.forEach((point, number) => {
    if (!seen[number]) return;
    context.fillStyle = side(number);
    context.beginPath();
    context.arc(...place(point), width, 0, 2 * Math.PI);
    context.fill();
  });
}

export function labelOf(person, settings) {
  const sure = person.mean_probability >= settings.min_probability;
  const share = person.posture === null ? "" : sure ? ` ${percent(person.mean_probability)}` : "?";
  return `${readable(person.posture)}${share}${person.track === null ? "" : ` ${name(person)}`}`;
}

function label(context, person, place, ratio, canvas, taken, settings) {
  const size = 13 * ratio;
  const pad = 4 * ratio;
  context.font = `600 ${size}px system-ui, sans-serif`;
  const text = labelOf(person, settings);
  const w = context.measureText(text).width + 2 * pad;
  const h = size + 1.4 * pad;
  let [x, y] = place(person.box);
  x = Math.max(Math.min(x, canvas.width - w), 0);
  y = Math.max(Math.min(y - h, canvas.height - h), 0);
  for (const [tx, ty, tw, th] of taken) {
    if (x < tx + tw && tx < x + w && y < ty + th && ty < y + h) y = Math.min(ty + th, canvas.height - h);
  }
  taken.push([x, y, w, h]);
  context.fillStyle = person.colour;
  context.fillRect(x, y, w, h);
  context.fillStyle = INK;
  context.textBaseline = "middle";
  context.fillText(text, x + pad, y + h / 2);
}
