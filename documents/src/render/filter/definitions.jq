# What users of jq expect and jaq's libraries do not define.

def @csv: [.[]
  | if . == null then ""
  elif isstring then "\"" + gsub("\""; "\"\"") + "\""
  elif . >= [] then error("@csv: a row has no arrays and no objects in it")
  else tostring end] | join(",");

def @tsv: [.[]
  | if . == null then ""
  elif isstring then
      gsub("\\\\"; "\\\\") | gsub("\t"; "\\t") | gsub("\n"; "\\n") | gsub("\r"; "\\r")
  elif . >= [] then error("@tsv: a row has no arrays and no objects in it")
  else tostring end] | join("\t");

def IN(values): any(values == .; .);
def IN(source; values): any(source == values; .);

def INDEX(rows; name): reduce rows as $row ({}; . + {($row | name | tostring): $row});
def INDEX(name): INDEX(.[]; name);

def toarray: if isarray then . else [.] end;
def trimstr($text): ltrimstr($text) | rtrimstr($text);
