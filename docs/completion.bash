# Completion of `python -m training …` and `python -m service …`:
#   . docs/completion.bash
# In zsh first: autoload -U +X bashcompinit && bashcompinit
_creatorfit() {
    COMPREPLY=()
    case "${COMP_WORDS[1]} ${COMP_WORDS[2]}" in
    "-m training" | "-m service") ;;
    *) return ;;
    esac
    # Completing the command itself needs its name and what follows, as one line of words.
    local IFS=$'\n'
    COMPREPLY=($(
        IFS=' '
        COMP_WORDS="${COMP_WORDS[*]:2}" COMP_CWORD=$((COMP_CWORD - 2)) \
            _CREATORFIT_COMPLETE=complete_bash "${COMP_WORDS[0]}" -m "${COMP_WORDS[2]}" 2>/dev/null
    ))
}
complete -o default -F _creatorfit python python3
