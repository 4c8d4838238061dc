"""How the page looks: by day, by night, and on paper."""

from typing import Final

STYLE: Final = """
:root{--ink:#1c2530;--soft:#5d6b7a;--line:#dde3ea;--paper:#fff;--wash:#f5f7fa;
--s0:#2563a8;--s1:#c2571a;--s2:#2f855a;--s3:#8b4bb0;--s4:#b0325b;--s5:#6b6f1d}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#9aa8b7;--line:#303a46;--paper:#161b22;
--wash:#1d242d;--s0:#6ea8e8;--s1:#ee9358;--s2:#62c093;--s3:#c08be0;--s4:#e87a9d;--s5:#c3c75a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:800px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;margin:0}h2{font-size:19px;margin:36px 0 8px}h3{font-size:15px;margin:22px 0 4px}
.about{font-size:17px;color:var(--soft);margin:2px 0 14px}
.small,small{color:var(--soft);font-size:12.5px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}tbody th{font-weight:500}td:nth-child(2){color:var(--soft)}
td small{display:block}td.best{font-weight:700}td.best small{font-weight:400}
i{display:inline-block;width:11px;height:11px;border-radius:2px;background:var(--c);margin-right:6px}
.s0{--c:var(--s0)}.s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}.s4{--c:var(--s4)}.s5{--c:var(--s5)}
.legend span{margin-right:18px;white-space:nowrap}.key i{border:1px solid var(--line)}
.none i{background:none;border-style:dashed;border-color:var(--soft)}
svg{display:block;width:100%;height:auto}
svg text{font:12px system-ui,sans-serif;fill:var(--soft)}
svg .label{text-anchor:end}svg .tick{text-anchor:middle}
svg .grid{stroke:var(--line)}
svg .box{fill:var(--c);opacity:.28}svg .median,svg .whisker{stroke:var(--c);stroke-width:2}
svg .whisker{stroke-width:1.2}svg circle{fill:var(--c);opacity:.75}
svg .line{fill:none;stroke:var(--c);stroke-linejoin:round}
.d0{stroke-width:4}.d1{stroke-width:2.6;stroke-dasharray:9 4}.d2{stroke-width:2.2;stroke-dasharray:3 3}
.d3{stroke-width:1.8;stroke-dasharray:9 3 2 3}
svg.stroke{display:inline-block;width:34px;height:10px;margin-right:7px;vertical-align:middle}
svg.stroke~svg{margin:0}svg .unit{font-style:italic}
.nothing{color:var(--soft);margin:2px 0 10px}tr.nothing>*{color:var(--soft);font-weight:400}
.head{display:grid;grid-template-columns:repeat(auto-fit,minmax(210px,1fr));gap:12px;margin:18px 0 4px}
.head div{background:var(--wash);border-left:5px solid var(--c);border-radius:4px;padding:10px 14px}
.head b{display:block;margin-bottom:2px}.head span{display:block;font-size:13.5px}
dt{font-weight:600;margin-top:8px}dd{margin:0 0 0 18px;color:var(--soft)}
@media print{main{max-width:none}svg{break-inside:avoid}}
"""
