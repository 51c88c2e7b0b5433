import { hues } from "./style.js";

const variables = (theme: "light" | "dark"): string => hues.map((hue) => `--hue-${hue.name}:${hue[theme]}`).join(";");
const light = `color-scheme:light;--ink:#1c2530;--soft:#55606c;--rule:#d5dbe2;--surface:#ffffff;--edge:#1c253038;--ground:#f5f6f8;--accent:#0b5fa5;--warn:#8a5a00;--warn-ground:#fff6e0;--bad:#b3261e;--bad-ground:#fdeeed;--good:#1d7a3e;${variables("light")}`;
const dark = `color-scheme:dark;--ink:#e6eaef;--soft:#a5b0bc;--rule:#38424e;--surface:#161c24;--edge:#e6eaef40;--ground:#0e1318;--accent:#7cb8f2;--warn:#f0c46a;--warn-ground:#2c2413;--bad:#ff9a92;--bad-ground:#33191a;--good:#71d394;${variables("dark")}`;

/** Colours as variables, light or dark as the system says. */
export const themeStyle = `:root{${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
`;

/** Style of every page of this project: light, dark as the system says, narrow screens, print. */
export const pageStyle = `
${themeStyle}
*{box-sizing:border-box}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);margin:0;background:var(--ground)}
main{max-width:1240px;margin:0 auto;padding:1.8rem 1.2rem 3rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .2rem;overflow-wrap:anywhere}h2{font-size:1.25rem;margin:2.4rem 0 .5rem;padding-top:.4rem;border-top:1px solid var(--rule)}h3{font-size:1.02rem;margin:1.4rem 0 .3rem}
p.lead{color:var(--soft);margin:.2rem 0 1rem;max-width:52rem}p.headline{font-size:1.12rem;line-height:1.5;margin:.6rem 0 1rem;max-width:56rem}
p{max-width:52rem}a{color:var(--accent)}
.card{position:relative;background:var(--surface);border:1px solid var(--rule);border-radius:10px;padding:.9rem 1rem;margin:.9rem 0}
.scroll{overflow-x:auto;background:linear-gradient(90deg,var(--surface) 30%,transparent) local,linear-gradient(270deg,var(--surface) 30%,transparent) right/2.5rem 100% local,linear-gradient(90deg,var(--edge),transparent) scroll,linear-gradient(270deg,var(--edge),transparent) right/.8rem 100% scroll;background-size:2.5rem 100%,2.5rem 100%,.8rem 100%,.8rem 100%;background-repeat:no-repeat}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.95rem}
th,td{padding:.34rem .5rem;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
tbody tr:last-child td{border-bottom:0}
th:first-child,td:first-child,th.text{text-align:left}th{font-weight:600;color:var(--soft);font-size:.85rem;vertical-align:bottom}
td.text{white-space:normal;text-align:left}
th[data-sort]{cursor:pointer;user-select:none}th[aria-sort=ascending]::after{content:" ▲";font-size:.7em}th[aria-sort=descending]::after{content:" ▼";font-size:.7em}
input.filter{font:inherit;color:inherit;background:var(--ground);border:1px solid var(--rule);border-radius:6px;padding:.25rem .6rem;margin:0 0 .6rem;width:min(100%,20rem)}
figure{margin:0}figure.plot{margin:0}figcaption{color:var(--soft);font-size:.88rem;margin:.35rem 0 0;max-width:52rem}
figure svg{display:block;max-width:100%;height:auto;margin:0 auto}figure .wide svg[class^=plot],figure .wide>svg{width:100%}
figure .wide svg[class^=plot],figure .wide>svg{max-width:760px}.grid figure .wide svg[class^=plot]{max-width:580px}figure [class*=swatches]{color:var(--ink);font-size:.85rem!important;flex-wrap:wrap;margin:0 0 .2rem}figure [class*=swatch]>svg{display:inline-block;margin:0 .35em 0 0;flex:none}.grid>.card:last-child:nth-child(odd){grid-column:1/-1}
.heatmaps{display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;justify-content:center}.heatmaps svg{margin:0}
.legend{display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;font-size:.92rem;margin:.4rem 0}
.grid{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:.9rem}.grid .card{margin:0}
.narrow{display:none}
.warning{border-left:4px solid var(--warn);background:var(--warn-ground);padding:.45rem .8rem;margin:.45rem 0;border-radius:0 6px 6px 0;font-size:.94rem;overflow-wrap:anywhere}
.failed{border-left:4px solid var(--bad);background:var(--bad-ground);padding:.45rem .8rem;margin:.45rem 0;border-radius:0 6px 6px 0;font-size:.94rem;overflow-wrap:anywhere}
details{margin:.7rem 0}summary{cursor:pointer;color:var(--accent)}
pre{background:var(--ground);border:1px solid var(--rule);padding:.7rem;border-radius:6px;overflow:auto;font-size:.8rem;max-height:28rem}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;font-size:.92rem;margin:0}dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;overflow-wrap:anywhere}
.label{white-space:nowrap}.dot{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.45em}
.pass,.confirmed{color:var(--good);font-weight:600}.fail,.contradicted{color:var(--bad);font-weight:600}.doubtful{color:var(--warn);font-weight:600}.unchecked{color:var(--soft)}
.tools{position:absolute;right:.6rem;top:.45rem;display:flex;gap:.3rem;opacity:0;transition:opacity .15s;z-index:1}.card:hover .tools,.tools:focus-within{opacity:1}
@media (hover:none){.tools{position:static;opacity:1;justify-content:flex-end;margin-bottom:.2rem}}
.tools button{font:inherit;font-size:.75rem;color:var(--soft);background:var(--surface);border:1px solid var(--rule);border-radius:5px;padding:.05rem .45rem;cursor:pointer}
#tip{position:fixed;pointer-events:none;background:var(--ink);color:var(--surface);font-size:.8rem;line-height:1.35;padding:.3rem .55rem;border-radius:5px;white-space:pre-line;z-index:9;max-width:22rem}
footer{color:var(--soft);font-size:.85rem;margin-top:2.4rem}
@media (max-width:760px){main{padding:1.1rem .7rem 2rem}.grid{grid-template-columns:minmax(0,1fr)}.has-narrow>.wide{display:none}.has-narrow>.narrow{display:block}h1{font-size:1.3rem}.card{padding:.7rem .6rem}th,td{padding:.3rem .45rem}dl.facts{grid-template-columns:1fr}dl.facts dd{margin-bottom:.35rem}
.stacked thead{display:none}.stacked tr{display:block;padding:.4rem 0;border-bottom:1px solid var(--rule)}.stacked tbody tr:last-child{border-bottom:0}.stacked td{display:block;text-align:left;white-space:normal;border:0;padding:.05rem .2rem}.stacked td[data-header]::before{content:attr(data-header) ": ";color:var(--soft)}}
@media print{:root{${light}}body{background:#fff;font-size:11pt}main{max-width:none;padding:0}.tools,input.filter,#tip{display:none}.card{break-inside:avoid;border-color:#bbb}h2{break-after:avoid}details:not([open])>*{display:none}.scroll{overflow:visible}}
`;
