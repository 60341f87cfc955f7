/** A line. */

import type { Curve } from "./curves";

export function Chart({ curve, label }: { curve: Curve; label: string }) {
  const path = curve.points.map(([x, y]) => `${(x * 100).toFixed(2)},${((1 - y) * 100).toFixed(2)}`).join(" ");
  return (
    <svg className="chart" viewBox="0 -2 100 104" preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline points={path} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
