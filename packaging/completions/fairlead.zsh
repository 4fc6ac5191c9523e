#compdef fairlead
# Completion for zsh: asks `fairlead __complete` (plugin-api/cli/complete.h).
_fairlead() {
  local line says word
  local -a answer proposals ending
  answer=("${(@f)$("${(Q)~words[1]}" __complete "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
  says=$answer[-1]
  for line in "${(@)answer[1,-2]}"; do
    word=${line%%$'\t'*}
    [[ $line == *$'\t'* ]] && proposals+=("${word//:/\\:}:${line#*$'\t'}") || proposals+=("${word//:/\\:}")
  done
  case $says in
  :files) compset -P '--*='; _files && return ;;
  :folders) compset -P '--*='; _files -/ && return ;;
  :nospace) ending=(-S '') ;;
  esac
  _describe fairlead proposals "${(@)ending}"
}
[ "$funcstack[1]" = _fairlead ] && _fairlead "$@" || compdef _fairlead fairlead
