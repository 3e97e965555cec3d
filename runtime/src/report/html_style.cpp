#include "report/html.h"

namespace tsrun::report {

std::string page_style() {
  return R"(:root{color-scheme:light dark;--paper:#fdfcfa;--ink:#1c1b1a;--soft:#5b5854;--rule:#d9d5ce;--faint:#f4f1ec;--link:#0b5c8f}
@media (prefers-color-scheme:dark){:root{--paper:#161514;--ink:#e9e6e1;--soft:#aaa6a0;--rule:#3b3835;--faint:#201f1d;--link:#7cc0ec}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.55 Charter,'Bitstream Charter','Sitka Text',Cambria,Georgia,serif;
  font-feature-settings:'kern','liga';hanging-punctuation:first}
main{max-width:70rem;margin:0 auto;padding:3.5rem 1.25rem 5rem}
h1,h2,header p,.note,figure,footer,dl{max-width:42rem}
h1{font-size:2rem;line-height:1.2;font-weight:600;margin:0 0 .8rem;text-wrap:balance;overflow-wrap:anywhere}
h2{font-size:1.2rem;font-weight:600;margin:3rem 0 .75rem}
h3{font-size:1rem;font-weight:600;margin:1.6rem 0 .3rem;max-width:42rem}
p{margin:.6rem 0;overflow-wrap:break-word}
header p{color:var(--soft)}
header strong{font-weight:600;color:var(--ink)}
a{color:var(--link);text-underline-offset:.15em}
.files{font-size:.9rem}
.files a{margin-right:.9em;white-space:nowrap}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch;margin:1.8rem 0 .6rem}
table{border-collapse:collapse;font:.8125rem/1.35 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;
  font-variant-numeric:tabular-nums lining-nums;border-top:1.5px solid var(--ink);border-bottom:1.5px solid var(--ink);min-width:100%}
th,td{padding:.26rem .55rem;text-align:right;white-space:nowrap;vertical-align:baseline}
th:first-child,td:first-child{text-align:left;padding-left:0;position:sticky;left:0;background:var(--paper)}
th:last-child,td:last-child{padding-right:0}
th.words,td.words{text-align:left}
.caption{font-weight:600;margin:2.2rem 0 0;max-width:42rem}
.caption+.scroll{margin-top:.6rem}
thead th{font-weight:600;border-bottom:1px solid var(--ink);padding-top:.45rem;padding-bottom:.45rem}
tbody th{font-weight:400}
tbody th[colspan]{font-style:italic;color:var(--soft);padding-top:.85rem}
tbody+tbody tr:first-child>*{border-top:1px solid var(--rule)}
tbody tr:not(.section):hover>*{background:var(--faint)}
td .spread{color:var(--soft)}
td.lead{font-weight:650}
td.lead .spread{font-weight:400}
.claims{max-width:42rem;padding-left:1.1rem}
.claims li{margin:.45rem 0}
.claims .spread{color:var(--soft);font-size:.9375rem}
.claims .supported{color:#1a7f4b}
.claims .contradicted{color:#b3382c}
@media (prefers-color-scheme:dark){.claims .supported{color:#5fcf97}.claims .contradicted{color:#f08a7e}}
.legend{font-size:.875rem;line-height:1.5;color:var(--soft);max-width:42rem}
figure{margin:2.4rem 0}
figure .box{overflow-x:auto}
figure svg{display:block;width:100%;min-width:27rem;height:auto}
figcaption{font-size:.9375rem;line-height:1.45;color:var(--soft);margin-top:.4rem}
pre{overflow-x:auto;background:var(--faint);border-radius:4px;padding:.7rem .9rem;font:.8125rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;max-width:42rem}
dl{display:grid;grid-template-columns:minmax(6.5rem,max-content) minmax(0,1fr);gap:.3rem 1.2rem;font-size:.9375rem;margin:1rem 0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
code{font:.875em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
footer{margin-top:3.5rem;color:var(--soft);font-size:.875rem}
@media (max-width:40rem){main{padding:1.75rem 1rem 3rem}h1{font-size:1.55rem}body{font-size:1rem}table{font-size:.78rem}th,td{padding:.26rem .45rem}
  th:first-child,td:first-child{min-width:8.5rem;max-width:8.5rem;white-space:normal;padding-right:.6rem}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}}
@media print{main{padding:0;max-width:none}.scroll,figure .box{overflow:visible}figure,tr{break-inside:avoid}}
)";
}

}  // namespace tsrun::report
