// What is said about people and cameras, in words.

export const name = (person) => (person.track === null ? "somebody" : `#${person.track}`);

export const percent = (share) => `${Math.round(100 * share)}%`;

export const readable = (posture) => (posture === null ? "unknown" : posture.replaceAll("_", " "));

export function lasting(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

export function since(record, person) {
  return person.since_seconds === null ? "" : `for ${lasting(Math.max(record.seconds - person.since_seconds, 0))}`;
}

// Why there is no picture, or "" where there is one.
export function down(state) {
  if (["live", "ended"].includes(state.state) && state.picture_seconds !== null) return "";
  if (state.state === "ended") return "Ended";
  if (state.state === "live" || state.state === "connecting") return state.live ? "Waiting for the first picture" : "Starting";
  const next = state.next_try_seconds === null ? "" : `; next try in ${Math.ceil(state.next_try_seconds)} s`;
  const last = state.picture_seconds === null ? "no picture yet" : `last picture ${lasting(state.picture_seconds)} ago`;
  const reason = state.reason ? ` (${state.reason})` : "";
  return `No picture: ${state.state} for ${lasting(state.state_seconds)}${reason}; ${last}${next}`;
}

export function figures(state) {
  const told = [["People", `${state.people}`], ["Frames/s", state.frames_per_second.toFixed(1)]];
  if (!state.live) return told;
  const dropped = Object.values(state.drops).reduce((sum, count) => sum + count, 0);
  if (state.age_seconds !== null) told.push(["Age", `${Math.round(1000 * state.age_seconds)} ms`]);
  told.push(["Dropped", `${dropped}`]);
  return told;
}
