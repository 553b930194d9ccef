/** A few numbers as a line: an SVG, made of elements and attributes. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {number[]} counts oldest first
 * @param {string} color
 * @param {number} [width]
 * @param {number} [height]
 */
export function sparkline(counts, color, width = 64, height = 22) {
  const top = Math.max(1, ...counts);
  const step = width / Math.max(1, counts.length - 1);
  const places = counts.map((n, k) => `${(k * step).toFixed(1)},${(height - 1.5 - (n / top) * (height - 3)).toFixed(1)}`);
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "line", preserveAspectRatio: "none" });
  svg.append(
    make("polygon", { points: `0,${height} ${places.join(" ")} ${width},${height}`, fill: color, "fill-opacity": 0.16 }),
    make("polyline", { points: places.join(" "), fill: "none", stroke: color, "stroke-width": 1.5, "stroke-linejoin": "round", "vector-effect": "non-scaling-stroke" }),
  );
  return svg;
}

/** @param {string} tag @param {Record<string, string | number>} attributes */
function make(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
