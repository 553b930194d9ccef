/**
 * Points drawn by WebGL 2: one draw call for all of them. They lie in buffers on the GPU; what is uploaded is what is new.
 *
 * A point that is new is larger for a moment (`born`). Points of other clusters than the one in focus step back.
 */

import * as twgl from "../../vendor/twgl-7.0.0/twgl.js";

import { CAPACITY, points, takeDirty } from "../points.js";

const VERTEX = `#version 300 es
in vec2 place; in vec4 color; in float born; in float group;
uniform vec2 center; uniform vec2 scale; uniform float now; uniform float size; uniform float focus; uniform float grow;
out vec4 tint;
void main() {
  float age = grow > 0.0 ? clamp((now - born) / grow, 0.0, 1.0) : 1.0;
  float pop = 1.0 + 1.6 * (1.0 - age) * (1.0 - age);
  float back = focus > 0.0 && abs(group - focus) > 0.5 ? 0.28 : 1.0;
  gl_Position = vec4((place - center) * scale, 0.0, 1.0);
  gl_PointSize = size * pop * (color.a > 0.6 ? 1.35 : 1.0);
  tint = vec4(color.rgb, color.a * back * mix(0.35, 1.0, age));
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 tint;
out vec4 pixel;
void main() {
  float r = length(gl_PointCoord - 0.5) * 2.0;
  float edge = 1.0 - smoothstep(0.75, 1.0, r);
  float a = tint.a * edge;
  if (a < 0.01) discard;
  pixel = vec4(tint.rgb * a, a);
}`;

/** @param {HTMLCanvasElement} canvas @returns {null | {draw: Function}} null where there is no WebGL 2 */
export function glPainter(canvas) {
  const found = canvas.getContext("webgl2", { antialias: false, alpha: true, premultipliedAlpha: true, powerPreference: "low-power" });
  if (found === null) return null;
  const gl = found;
  /** @type {any} */ let program;
  /** @type {any} */ let buffers;
  let isLost = false;

  function make() {
    program = twgl.createProgramInfo(gl, [VERTEX, FRAGMENT]);
    buffers = twgl.createBufferInfoFromArrays(gl, {
      place: { numComponents: 2, data: points.place, drawType: gl.DYNAMIC_DRAW },
      color: { numComponents: 4, data: points.color, normalize: true, drawType: gl.DYNAMIC_DRAW },
      born: { numComponents: 1, data: points.born, drawType: gl.DYNAMIC_DRAW },
      group: { numComponents: 1, data: points.group, drawType: gl.DYNAMIC_DRAW },
    });
    takeDirty();
  }

  canvas.addEventListener("webglcontextlost", (event) => {
    event.preventDefault();
    isLost = true;
  });
  canvas.addEventListener("webglcontextrestored", () => {
    isLost = false;
    make();
  });
  make();

  function upload() {
    for (const [from, to] of takeDirty()) {
      for (const [name, width] of /** @type {[keyof typeof points, number][]} */ ([["place", 2], ["color", 4], ["born", 1], ["group", 1]])) {
        const all = /** @type {Float32Array | Uint8Array} */ (points[name]);
        const part = all.subarray(from * width, to * width);
        gl.bindBuffer(gl.ARRAY_BUFFER, buffers.attribs[name].buffer);
        gl.bufferSubData(gl.ARRAY_BUFFER, from * width * all.BYTES_PER_ELEMENT, part);
      }
    }
  }

  return {
    /** @param {import("./camera.js").Camera} camera @param {{width: number, height: number, ratio: number, now: number, focus: number, grow: number}} view */
    draw(camera, view) {
      if (isLost) return;
      upload();
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
      const count = Math.min(points.count, CAPACITY);
      if (count === 0) return;
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.useProgram(program.program);
      twgl.setBuffersAndAttributes(gl, program, buffers);
      twgl.setUniforms(program, {
        center: [camera.cx, camera.cy],
        scale: [(2 * camera.scale) / view.width, (2 * camera.scale) / view.height],
        now: view.now,
        size: pointSize(count) * view.ratio,
        focus: view.focus,
        grow: view.grow,
      });
      twgl.drawBufferInfo(gl, buffers, gl.POINTS, count);
    },
  };
}

/** Smaller where there are many. @param {number} count */
export function pointSize(count) {
  return count < 2000 ? 4.8 : count < 15_000 ? 3.8 : 3;
}
