/** Line charts as SVG text, drawn by Apache ECharts without a browser. Colours are the page's CSS variables. */
import type { ECharts } from "echarts/core";
import { type Html, raw } from "./html.ts";

/** One line of a chart. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** One chart: its lines and axes. */
export interface ChartOptions {
  /** One colour each. */
  readonly lines: readonly Line[];
  /** A dashed level: what a guess would score. */
  readonly chance?: number | undefined;
  /** Whose level it is, where there are several lines. */
  readonly chanceOf?: string | undefined;
  /** Says what is drawn, for those who do not see it. */
  readonly label: string;
  /** Logarithmic values. */
  readonly log?: boolean | undefined;
}

const [WIDTH, HEIGHT] = [360, 190];
/** Above this many points a line is averaged in buckets, and its average over time is drawn on top. */
const MAX_POINTS = 240;
const COLORS = 6;

/** Draws a chart as inline SVG. */
export type DrawChart = (options: ChartOptions) => Html;

/** Loads ECharts and gives the function that draws. */
export async function chartMaker(): Promise<DrawChart> {
  const [{ init, use }, { LineChart }, { GridComponent }, { SVGRenderer }] = await Promise.all([
    import("echarts/core"),
    import("echarts/charts"),
    import("echarts/components"),
    import("echarts/renderers"),
  ]);
  use([LineChart, GridComponent, SVGRenderer]);
  return (options) => {
    const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
    try {
      chart.setOption(chartOption(options));
      return raw(tidy(chart.renderToSVGString(), options.label));
    } finally {
      chart.dispose();
    }
  };
}

type Option = Parameters<ECharts["setOption"]>[0];

function chartOption({ lines, chance, chanceOf, log = false }: ChartOptions): Option {
  const axis = { axisLine: { show: false }, axisTick: { show: false } };
  const xs = lines.flatMap(({ points }) => points.map(([x]) => x));
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  return {
    animation: false,
    backgroundColor: "transparent",
    grid: { left: 46, right: 58, top: 10, bottom: 24 },
    xAxis: {
      ...axis,
      type: "value",
      min: first === last ? first - 1 : "dataMin",
      max: first === last ? last + 1 : "dataMax",
      splitNumber: 4,
      splitLine: { show: false },
      axisLabel: {
        color: "var(--muted)",
        fontSize: 11,
        hideOverlap: true,
        formatter: (x: number) => short(Math.round(x)),
      },
    },
    yAxis: {
      ...axis,
      type: log ? "log" : "value",
      scale: true,
      splitNumber: 4,
      splitLine: { lineStyle: { color: "var(--grid)" } },
      axisLabel: { color: "var(--muted)", fontSize: 11, formatter: (y: number) => short(y) },
    },
    series: [
      ...(chance === undefined || xs.length === 0 ? [] : [chanceSeries(chance, chanceOf, [first, last])]),
      ...lines.flatMap((line, i) => lineSeries(line, `var(--c${(i % COLORS) + 1})`)),
    ],
  };
}

const quiet = { type: "line", silent: true, showSymbol: false } as const;

function chanceSeries(chance: number, of: string | undefined, [first, last]: readonly [number, number]): object {
  return {
    ...quiet,
    data: [
      [first, chance],
      [last, chance],
    ],
    lineStyle: { color: "var(--muted)", width: 1.2, type: [5, 4] },
    endLabel: { show: true, color: "var(--muted)", fontSize: 11, formatter: of ? `chance ${of}` : "chance" },
  };
}

/** The points, and over many points their average in time; the last value stands at the end. */
function lineSeries({ points }: Line, color: string): object[] {
  const last = points.at(-1);
  const label = { show: last !== undefined, color, fontSize: 11, fontWeight: 600, formatter: () => short(last![1]) };
  const few = bucketed(points);
  if (points.length < 40)
    return [
      {
        ...quiet,
        showSymbol: points.length < 12,
        symbolSize: 4,
        itemStyle: { color },
        data: few,
        lineStyle: { color, width: 1.8 },
        endLabel: label,
      },
    ];
  return [
    { ...quiet, data: few, lineStyle: { color, width: 1, opacity: 0.3 } },
    { ...quiet, data: smoothed(few), lineStyle: { color, width: 1.8 }, endLabel: label },
  ];
}

type Points = readonly (readonly [number, number])[];

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** At most MAX_POINTS points, each the mean of neighbours. */
function bucketed(points: Points): Points {
  const size = Math.ceil(points.length / MAX_POINTS);
  if (size <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const bucket = points.slice(i * size, (i + 1) * size);
    return [mean(bucket.map(([x]) => x)), mean(bucket.map(([, y]) => y))] as const;
  });
}

/** Exponential average over about a twentieth of the line, from both ends, so that it does not lag. */
function smoothed(points: Points): Points {
  const keep = Math.exp(-20 / points.length);
  const pass = (ys: readonly number[]): number[] => {
    let [sum, weight] = [0, 0];
    return ys.map((y) => {
      [sum, weight] = [keep * sum + y, keep * weight + 1];
      return sum / weight;
    });
  };
  const ys = points.map(([, y]) => y);
  const back = pass(ys.toReversed()).toReversed();
  return pass(ys).map((y, i) => [points[i]![0], (y + back[i]!) / 2] as const);
}

/** A number in a few characters: 12,345 → 12.3k, 0.000012 → 1.2e-5. */
export function short(x: number): string {
  const size = Math.abs(x);
  if (size !== 0 && size < 0.001) return x.toExponential(1).replace(/\.0e/, "e");
  if (size >= 1e6) return `${trim(x / 1e6)}M`;
  if (size >= 1e4) return `${trim(x / 1e3)}k`;
  return trim(x);
}

const trim = (x: number): string => String(Number(x.toPrecision(3)));

/** Takes away what only a live chart needs, and says what the picture shows. */
function tidy(svg: string, label: string): string {
  const attribute = label.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
  return svg
    .replace(/<style[\s\S]*?<\/style>\s*/g, "")
    .replace(
      / (class="zr[^"]*"|pointer-events="visible"|ecmeta_\w+="[^"]*"|xmlns:xlink="[^"]*"|version="1.1"|baseProfile="full")/g,
      "",
    )
    .replace(/font-family:sans-serif;/g, "")
    .replace(/^<svg width="\d+" height="\d+"/, `<svg role="img" aria-label="${attribute}"`)
    .replace(/>\s+</g, "><");
}
