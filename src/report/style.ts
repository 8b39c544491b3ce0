/** The style of the report: one page, readable on a phone and on paper, light and dark. */

export const STYLE: string = `
:root{color-scheme:light dark;--ink:#1c2230;--paper:#fbfbfa;--card:#fff;--muted:#667085;--line:#e4e6eb;--grid:#eceef2;--accent:#3457d5;
--good:#137a4d;--good-bg:#e2f4ea;--bad:#b3401f;--bad-bg:#fbe9e3;--heat:#ff3d00;
--c1:#3457d5;--c2:#d9632e;--c3:#138a6b;--c4:#9a4fc4;--c5:#b58900;--c6:#d0427e}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8ee;--paper:#12151c;--card:#1a1e28;--muted:#98a1b3;--line:#2b3140;--grid:#262b38;--accent:#8fa6ff;
--good:#69d39c;--good-bg:#173527;--bad:#ff9b7a;--bad-bg:#3d2219;--heat:#ff6a2b;
--c1:#8fa6ff;--c2:#ff9a66;--c3:#54cfa8;--c4:#cd97ef;--c5:#e0bd4e;--c6:#ff8ab7}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",sans-serif}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 24px}
header{padding-top:44px}
h1{font-size:2.1rem;line-height:1.15;margin:0 0 6px;letter-spacing:-.02em}
h2{font-size:1.35rem;margin:56px 0 6px;letter-spacing:-.01em}
h3{font-size:1.05rem;margin:28px 0 2px}
p{margin:6px 0 12px}
.lead{max-width:70ch;color:var(--muted)}
.muted{color:var(--muted);font-weight:400}
code,pre{font:.86em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
nav{position:sticky;top:0;z-index:2;background:color-mix(in srgb,var(--paper) 88%,transparent);backdrop-filter:blur(8px);border-bottom:1px solid var(--line);margin-top:18px}
nav div{max-width:1120px;margin:0 auto;padding:10px 24px;display:flex;flex-wrap:wrap;gap:2px 20px;overflow-x:auto;scrollbar-width:none;font-size:.9rem}
nav a{color:var(--muted);text-decoration:none;white-space:nowrap}nav a:hover{color:var(--accent)}
section{scroll-margin-top:76px}
.results{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:14px;margin:24px 0 8px}
.card,.result,.chart{background:var(--card);border:1px solid var(--line);border-radius:12px}
.result{padding:14px 18px}
.result b{display:block;font-size:1.9rem;line-height:1.15;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.result span,small{display:block;font-size:.82rem;line-height:1.4;color:var(--muted)}
.result code{display:block;margin:2px 0}
.result em{font-style:normal;color:var(--good);font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:14px}
figure{margin:0}
.chart{padding:10px 8px 4px}
.chart figcaption{padding:0 8px 2px;font-size:.88rem;display:flex;gap:10px;align-items:baseline;flex-wrap:wrap}
.chart svg{display:block;width:100%;height:auto}
.key{font-size:.8rem}
details{margin:12px 0}
summary{cursor:pointer;color:var(--accent);font-size:.92rem;width:fit-content;max-width:100%;margin-bottom:8px}
img{display:block;border-radius:8px;image-rendering:pixelated;background:var(--card)}
.legend{font-size:.88rem}
.strips{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:18px 16px}
.strips.wide{grid-template-columns:repeat(auto-fill,minmax(310px,1fr))}
.scores svg{max-width:100%;height:auto;margin:8px 16px 8px 0}
.strip div{display:grid;grid-auto-flow:column;grid-auto-columns:1fr;gap:6px}
.strip img{width:100%;aspect-ratio:1;border:1px solid var(--line)}
figcaption{font-size:.84rem;color:var(--muted);margin-top:4px}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(440px,1fr));gap:14px}
.stack{display:grid;gap:14px;grid-template-columns:minmax(0,1fr)}
.card{padding:16px}
.ranked{display:grid;grid-template-columns:112px 1fr;gap:14px;align-items:start}
.ranked img{width:112px;aspect-ratio:1;border:1px solid var(--line)}
.ranked ol{margin:0;padding-left:1.6em;font-size:.9rem;min-width:0}
.ranked li{padding:2px 6px;border-radius:6px;margin-bottom:2px}
.ranked li::marker{color:var(--muted);font-size:.85em}
.ranked li>span:first-child{display:block;overflow-wrap:anywhere;line-height:1.35}
li.right,tr.right{background:var(--good-bg);color:var(--good);font-weight:600}
li.answer{color:var(--bad);border-top:1px dashed var(--line);margin-top:6px}
.bar{display:block;height:4px;border-radius:2px;background:var(--grid);min-width:60px;margin-top:2px}
.bar span{display:block;height:100%;border-radius:2px;background:var(--accent)}
.right .bar span{background:var(--good)}
.words{display:flex;gap:18px;align-items:flex-start}
.words img{width:96px;aspect-ratio:1;border:1px solid var(--line);flex:none}
.sentence{font-size:1.1rem;line-height:1.9;margin:0}
.written{margin:4px 0;font-size:.84rem;color:var(--muted)}.written b{font-weight:400;font-style:italic}
.word{border-radius:6px;padding:2px 7px;white-space:nowrap}
.word.right{background:var(--good-bg);color:var(--good)}
.word.wrong{background:var(--bad-bg);color:var(--bad)}
.word s{margin-left:6px;color:var(--muted);text-decoration:none;font-size:.85em}
.word s::before{content:"for "}
.words details{margin:8px 0 0}
.bars{display:flex;flex-wrap:wrap;gap:18px}
.guesses{border-collapse:collapse;font-size:.86rem}
.guesses caption{text-align:left;font-weight:600}
.guesses td{padding:1px 8px 1px 4px;font-variant-numeric:tabular-nums}
.guesses .bar{width:90px}
.hits h3{margin:0 0 10px;font-size:1rem}
.hits div{display:flex;flex-wrap:wrap;gap:10px}
.hits img{width:96px;aspect-ratio:1;border:2px solid var(--line)}
.hits figcaption{text-align:center}
.hits .right img{border-color:var(--good);box-shadow:0 0 0 2px var(--good)}
.hits .right figcaption{color:var(--good);font-weight:700}
.hits .answer{margin-left:auto;padding-left:14px;border-left:1px dashed var(--line)}
.hits .answer img{border-color:var(--bad)}
.hits .answer figcaption{color:var(--bad)}
.word-maps{display:flex;flex-wrap:wrap;gap:10px}
.word-maps img,.heat{width:94px;aspect-ratio:1}
.word-maps figcaption{width:94px;overflow-wrap:anywhere}
.word-maps figcaption{text-align:center;color:var(--ink)}
.heat{position:relative;overflow:hidden;border-radius:8px}
.heat img{filter:grayscale(1) contrast(.75) brightness(1.1)}
.heat svg{position:absolute;inset:0;width:100%;height:100%;fill:var(--heat);opacity:.8;filter:blur(3px)}
table.facts{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
table.narrow{width:auto}
.facts td,.facts th{padding:5px 10px 5px 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
.facts th{font-weight:500;color:var(--muted)}
.facts td.number,.facts th.number{text-align:right;padding-right:0;padding-left:14px;white-space:nowrap}
.facts td{overflow-wrap:anywhere}.facts code{overflow-wrap:normal}
.facts td:has(+td>.near){overflow-wrap:normal}
.near{display:inline-block;margin-right:14px}.near small{display:inline;font-variant-numeric:tabular-nums}
.wide-table{overflow-x:auto}
.confusion{border-collapse:collapse;font-size:.82rem;font-variant-numeric:tabular-nums}
.confusion th{font-weight:500;color:var(--muted);text-align:right;padding:2px 8px 2px 0;white-space:nowrap}
.confusion .column{vertical-align:bottom;padding:4px 0}.confusion .column span{writing-mode:vertical-rl;transform:rotate(180deg)}
.confusion td{position:relative;min-width:30px;padding:4px;border:1px solid var(--line);text-align:center}
.confusion td i{position:absolute;inset:0;background:var(--bad)}.confusion td.right i{background:var(--good)}
.confusion td span{position:relative}.confusion td.share{border:0;padding-left:10px;text-align:right;color:var(--muted)}
pre{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px;overflow:auto;max-height:36em}
footer{padding-top:40px;padding-bottom:60px;color:var(--muted);font-size:.86rem}
@media (max-width:760px){nav div{flex-wrap:nowrap}}
@media (max-width:560px){main,header,footer{padding:0 16px}nav div{padding:10px 16px}h1{font-size:1.7rem}h2{margin-top:40px}
.results{grid-template-columns:1fr 1fr;gap:10px}.result{padding:10px 12px}.result b{font-size:1.5rem}
.cards,.stack,.charts,.strips,.strips.wide{display:flex;align-items:flex-start;overflow-x:auto;scroll-snap-type:x proximity;padding-bottom:6px}
.cards>*,.stack>*,.charts>*{flex:0 0 86%;scroll-snap-align:start}.strips>*{flex:0 0 66%}.strips.wide>*{flex:0 0 88%}
.ranked{grid-template-columns:72px 1fr}.ranked img{width:72px}.card{padding:12px}.words{gap:12px}.words img{width:64px}
.hits img{width:64px}.hits .answer{margin-left:0}.word-maps img,.heat,.word-maps figcaption{width:64px}.word-maps figcaption{font-size:.74rem}}
@media print{nav{display:none}details>*{display:block}.card,.result,.chart,.strip{break-inside:avoid}}
`;
