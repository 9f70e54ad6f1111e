// The connection to Stance: one WebSocket, made again when it is lost.

const RETRY_MS = [500, 1000, 2000, 5000];

export class Live {
  // handlers: connection(state), cameras(states), scene(record, jpeg) → a promise that ends when it is drawn
  constructor(handlers) {
    this.handlers = handlers;
    this.watched = [];
    this.failures = 0;
    this.decoder = new TextDecoder();
    this.connect();
  }

  connect() {
    this.handlers.connection("connecting");
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(`${scheme}//${location.host}/live`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.failures = 0;
      this.handlers.connection("open");
      this.say({ watch: this.watched });
    };
    this.socket.onmessage = ({ data }) => this.hear(data);
    this.socket.onclose = () => {
      this.handlers.connection("lost");
      setTimeout(() => this.connect(), RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)]);
    };
  }

  async hear(data) {
    if (typeof data === "string") {
      this.handlers.cameras(JSON.parse(data).cameras);
      return;
    }
    const length = new DataView(data).getUint32(0);
    const record = JSON.parse(this.decoder.decode(new Uint8Array(data, 4, length)));
    const jpeg = data.byteLength > 4 + length ? new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }) : null;
    try {
      await this.handlers.scene(record, jpeg);
    } finally {
      this.say({ shown: record.source });
    }
  }

  watch(cameras) {
    this.watched = cameras;
    this.say({ watch: cameras });
  }

  say(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
