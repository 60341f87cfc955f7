/** What there is to build with, as the server knows it. */

import { get, type NodeSpec, type PortType } from "./api";
import type { Catalogue } from "./store";

export async function readCatalogue(): Promise<Catalogue> {
  const [nodes, ports, models] = await Promise.all([
    get<{ nodes: NodeSpec[] }>("nodes"),
    get<{ ports: PortType[]; widenings: [string, string][] }>("ports"),
    get<{ name: string; parts: string[] }[]>("models"),
  ]);
  return {
    nodes: new Map(nodes.nodes.map((spec) => [spec.name, spec])),
    ports: new Map(ports.ports.map((port) => [port.name, port])),
    widenings: ports.widenings,
    bundles: new Map(models.map((one) => [one.name, one.parts])),
  };
}
