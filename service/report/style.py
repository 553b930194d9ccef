"""The page's style sheet: two sets of colors, one type, and the classes that the figures name.

Answers that are right are quiet, what is wrong is warm, what was found is green. Colors are never alone: each is
named in a legend, a label or a title.
"""

STYLE = """
:root{color-scheme:light dark;--paper:#fbfbfa;--card:#fff;--ink:#1c2330;--soft:#667085;--rule:#e4e7ec;
--right:#c3cad6;--confused:#7b8794;--missed:#d64545;--outlier:#f0a72f;--false:#b83fb3;--found:#1f9d6b;
--items:#8fa3c4;--accent:#2f6fde;--bad:#c0392b;--good:#157a52;
--h0:#2f6fde;--h1:#e8590c;--h2:#0b8f83;--h3:#c026d3;--h4:#a47100;--h5:#6d4bd8;--h6:#5a9216;--h7:#d6336c}
@media(prefers-color-scheme:dark){:root{--paper:#12151b;--card:#1a1f28;--ink:#e8ebf0;--soft:#98a2b3;--rule:#2c3442;
--right:#4a5568;--confused:#8b98a9;--missed:#ef6461;--outlier:#e5a43b;--false:#d46bd0;--found:#3dbb8a;
--items:#5d7298;--accent:#74a3ff;--bad:#ff8a80;--good:#5fd3a5;
--h0:#74a3ff;--h1:#ff8f4d;--h2:#3cc4b6;--h3:#e27bee;--h4:#d6a63a;--h5:#a78bfa;--h6:#98cc4f;--h7:#ff7aa8}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:26px;line-height:1.2;margin:0 0 6px}h2{display:inline;font-size:19px;margin:0}
h3{font-size:16px;margin:0 0 10px}p{margin:4px 0;max-width:75ch}
.quiet{color:var(--soft)}p.quiet{font-size:13px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(148px,1fr));gap:12px;margin:22px 0}
.tiles div,figure,.notes{background:var(--card);border:1px solid var(--rule);border-radius:10px}
.tiles div{padding:12px 14px}.tiles dt{color:var(--soft);font-size:13px}
.tiles dd{margin:0;font-size:24px;white-space:nowrap;font-weight:600;font-variant-numeric:tabular-nums;line-height:1.25}
.tiles dd.quiet{font-size:13px;font-weight:400;min-height:1.25em}
figure{margin:18px 0;padding:16px 18px}figcaption{color:var(--soft);font-size:13px;margin-top:8px;max-width:90ch}
.notes{margin:14px 0;padding:10px 18px 10px 34px;font-size:14px;border-left:4px solid var(--outlier)}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(380px,1fr));gap:18px}.pair figure{margin:0}
details{margin:26px 0}summary{cursor:pointer;padding:6px 0}.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:18px 0;font-size:14px;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;font-size:16px;padding-bottom:6px}
th,td{padding:5px 10px 5px 0;border-bottom:1px solid var(--rule);text-align:right;vertical-align:top}
th{font-weight:500;overflow-wrap:anywhere}thead th{color:var(--soft);font-size:13px}
th:first-child,td:last-child,th:last-child{text-align:left}td:last-child,thead th:last-child{padding-left:10px}
.prose td:nth-child(2){white-space:nowrap}.prose td:last-child{color:var(--soft)}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:12px system-ui,"Segoe UI",Roboto,sans-serif;fill:var(--ink);unicode-bidi:isolate}
svg .quiet{fill:var(--soft)}svg .strong{font-weight:600;font-size:14px}
svg .bad{fill:var(--bad)}svg .good{fill:var(--good)}svg .dark{fill:var(--card)}
svg .halo{paint-order:stroke;stroke:var(--card);stroke-width:3.5px;stroke-linejoin:round}
.grid{stroke:var(--rule)}.axis,.frame{stroke:var(--soft);fill:none}.frame{stroke:var(--rule)}
.luck{stroke:var(--soft);stroke-dasharray:3 4}.came{stroke:var(--soft);stroke-dasharray:2 3}
.flagged{stroke:var(--found);stroke-width:1.4}.flag{fill:var(--found);stroke:var(--card);stroke-width:1.5}
.reach{stroke:var(--found);stroke-width:3;stroke-opacity:.35}
.mark{fill:none;stroke-width:2}.bad-line{stroke:var(--false);stroke-width:2.4}.part{stroke:var(--ink)}
.fill-right{fill:var(--right)}.fill-confused{fill:var(--confused)}.fill-missed{fill:var(--missed)}
.fill-outlier{fill:var(--outlier)}.fill-false{fill:var(--false)}.fill-found{fill:var(--found)}
.fill-items{fill:var(--items)}.cell{fill:var(--accent)}
.curve{fill:none;stroke:var(--accent);stroke-width:2.4;stroke-linejoin:round}.area{fill:var(--accent);fill-opacity:.1}
.spread-known{fill:var(--confused);fill-opacity:.45;stroke:var(--confused)}
.spread-unseen{fill:var(--missed);fill-opacity:.3;stroke:var(--missed)}
.dot{fill:none;stroke-width:6;stroke-linecap:round;stroke-opacity:.62}
.hue-outlier{stroke:var(--outlier)}.hue-missed{stroke:var(--right)}
.hue-0{stroke:var(--h0)}.hue-1{stroke:var(--h1)}.hue-2{stroke:var(--h2)}.hue-3{stroke:var(--h3)}
.hue-4{stroke:var(--h4)}.hue-5{stroke:var(--h5)}.hue-6{stroke:var(--h6)}.hue-7{stroke:var(--h7)}
@media(prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}
@media print{details{break-inside:avoid}}
"""
