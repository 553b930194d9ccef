/**
 * Where the map is looked at from: the place in the middle, and how many pixels a unit takes. y points up.
 *
 *   screen x = width / 2 + (x - cx) * scale        screen y = height / 2 - (y - cy) * scale
 */

/** @typedef {{cx: number, cy: number, scale: number}} Camera */
/** @typedef {{x0: number, y0: number, x1: number, y1: number}} Box */

/** @param {Camera} camera @param {number} x @param {number} y @param {number} width @param {number} height */
export function toScreen(camera, x, y, width, height) {
  return [width / 2 + (x - camera.cx) * camera.scale, height / 2 - (y - camera.cy) * camera.scale];
}

/** @param {Camera} camera @param {number} sx @param {number} sy @param {number} width @param {number} height */
export function toMap(camera, sx, sy, width, height) {
  return [camera.cx + (sx - width / 2) / camera.scale, camera.cy - (sy - height / 2) / camera.scale];
}

/** All of a box, with a margin. @param {Box} box @param {number} width @param {number} height @returns {Camera} */
export function fit(box, width, height, margin = 26) {
  const w = Math.max(box.x1 - box.x0, 1e-6);
  const h = Math.max(box.y1 - box.y0, 1e-6);
  const room = Math.min(margin, width / 8, height / 8);
  return {
    cx: (box.x0 + box.x1) / 2,
    cy: (box.y0 + box.y1) / 2,
    scale: Math.min((width - 2 * room) / w, (height - 2 * room) / h),
  };
}

/**
 * Nearer or further, with the place under (sx, sy) where it is.
 * @param {Camera} camera @param {number} by @param {number} sx @param {number} sy @param {number} width @param {number} height
 * @returns {Camera}
 */
export function zoom(camera, by, sx, sy, width, height) {
  const scale = Math.min(1e6, Math.max(1e-4, camera.scale * by));
  const [x, y] = toMap(camera, sx, sy, width, height);
  return { cx: x - (sx - width / 2) / scale, cy: y + (sy - height / 2) / scale, scale };
}

/** @param {Camera} camera @param {number} dx pixels @param {number} dy pixels @returns {Camera} */
export function pan(camera, dx, dy) {
  return { cx: camera.cx - dx / camera.scale, cy: camera.cy + dy / camera.scale, scale: camera.scale };
}

/** Between two cameras; the scale changes evenly to the eye. @param {Camera} a @param {Camera} b @param {number} share */
export function between(a, b, share) {
  const eased = share * share * (3 - 2 * share);
  return {
    cx: a.cx + (b.cx - a.cx) * eased,
    cy: a.cy + (b.cy - a.cy) * eased,
    scale: a.scale * (b.scale / a.scale) ** eased,
  };
}

/** Whether all of a box is seen. @param {Camera} camera @param {Box} box @param {number} width @param {number} height */
export function sees(camera, box, width, height) {
  const [x0, y1] = toMap(camera, 0, 0, width, height);
  const [x1, y0] = toMap(camera, width, height, width, height);
  return box.x0 >= x0 && box.x1 <= x1 && box.y0 >= y0 && box.y1 <= y1;
}
