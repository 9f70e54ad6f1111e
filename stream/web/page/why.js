// "Why this label": the panel about one person.

import { lasting, percent, readable } from "./wording.js";

const RENEW_MS = 1000;

const at = (id) => document.getElementById(id);

export class Why {
  constructor(closed) {
    this.panel = at("why");
    this.closed = closed;
    this.asked = null;
    at("why-close").addEventListener("click", () => this.close());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.panel.hidden) this.close();
    });
  }

  async open(camera, key) {
    clearTimeout(this.timer);
    const asked = (this.asked = { camera, key });
    this.opener = document.activeElement;
    await this.renew(asked);
    if (this.asked !== asked) return;
    this.panel.hidden = false;
    at("why-title").focus({ preventScroll: true });
  }

  close() {
    clearTimeout(this.timer);
    this.asked = null;
    this.panel.hidden = true;
    this.closed();
    if (this.opener?.isConnected) this.opener.focus({ preventScroll: true });
  }

  async renew(asked) {
    const query = new URLSearchParams({ camera: asked.camera });
    if (typeof asked.key === "number") query.set("track", asked.key);
    else query.set("row", asked.key.replace("row ", ""));
    let gone = "Stance does not answer.";
    try {
      const answer = await fetch(`api/why?${query}`);
      const told = await answer.json();
      if (this.asked !== asked) return;
      gone = answer.ok ? "" : told.error;
      if (answer.ok) this.tell(told);
    } catch {
      if (this.asked !== asked) return;
    }
    at("why-gone").textContent = gone && `${gone} This is what was known last.`;
    at("why-gone").hidden = gone === "";
    this.timer = setTimeout(() => this.renew(asked), RENEW_MS);
  }

  tell(told) {
    const who = told.track === null ? "" : `#${told.track}, `;
    at("why-title").textContent = told.posture === null ? `${who}unknown: why?` : `${who}why ${readable(told.posture)}?`;
    const lasts = told.since_seconds === null ? "" : `, for ${lasting(Math.max(told.seconds - told.since_seconds, 0))}`;
    at("why-steady").textContent =
      told.posture === null
        ? `Unknown at ${told.camera}: ${told.reason}`
        : `At ${told.camera}, ${percent(told.probability)} over the last frames${lasts}`;
    const now = told.label !== null && told.label !== told.posture ? `This frame alone is ${readable(told.label)}: ` : "";
    const reason = told.label === null && told.posture !== null ? `This frame alone is unknown (${told.reason}): ` : "";
    at("why-sentence").textContent = `${now || reason}${told.sentence}.`;
    bars(at("why-probabilities"), told.probabilities);
    bars(at("why-gaits"), told.gait);
    at("why-motion").hidden = told.gait.length === 0;
    at("why-examples").replaceChildren(
      ...told.examples.map(({ label, distance, picture, row }) => {
        const line = document.createElement("tr");
        for (const text of [readable(label), distance.toFixed(3), picture ?? `row ${row}`]) {
          const cell = document.createElement("td");
          cell.textContent = text;
          line.append(cell);
        }
        return line;
      }),
    );
    const median = told.distance === null ? "" : `Median distance ${told.distance.toFixed(3)}`;
    const radius = told.radius === null || !median ? "" : `; beyond ${told.radius.toFixed(3)} a posture is unknown`;
    at("why-radius").textContent = median && `${median}${radius}.`;
  }
}

function bars(list, shares) {
  list.replaceChildren(
    ...shares.slice(0, 6).map(({ label, probability }) => {
      const item = document.createElement("li");
      const [what, bar, share] = ["span", "span", "span"].map((tag) => document.createElement(tag));
      what.textContent = readable(label);
      bar.className = "bar";
      bar.style.setProperty("--share", probability);
      share.textContent = percent(probability);
      share.className = "share";
      item.append(what, bar, share);
      return item;
    }),
  );
}
