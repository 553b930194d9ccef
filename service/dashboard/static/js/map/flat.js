/** Points drawn on a plain 2-D canvas, where there is no WebGL 2: the same picture, more slowly. */

import { css } from "../colors.js";
import { points, takeDirty } from "../points.js";
import { pointSize } from "./gl.js";

/** @param {HTMLCanvasElement} canvas */
export function flatPainter(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  return {
    /** @param {import("./camera.js").Camera} camera @param {any} view */
    draw(camera, view) {
      takeDirty();
      context.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
      context.clearRect(0, 0, view.width, view.height);
      const size = pointSize(points.count);
      let last = "";
      for (let at = 0; at < points.count; at++) {
        const x = view.width / 2 + (points.place[2 * at] - camera.cx) * camera.scale;
        const y = view.height / 2 - (points.place[2 * at + 1] - camera.cy) * camera.scale;
        if (x < -size || y < -size || x > view.width + size || y > view.height + size) continue;
        const c = points.color.subarray(4 * at, 4 * at + 4);
        const back = view.focus > 0 && points.group[at] !== view.focus ? 0.28 : 1;
        const style = css([c[0], c[1], c[2]], (c[3] / 255) * back);
        if (style !== last) {
          context.fillStyle = style;
          last = style;
        }
        context.fillRect(x - size / 2, y - size / 2, size, size);
      }
    },
  };
}
