"""The words by which creators say that a post is an advertisement, in seven languages.

Only tables: hashtags, phrase rules, and the words that undo them. Knows nothing of how they are
applied (`sponsored`). All patterns are written for folded text: lower case, no accents, straight
quotes, single spaces. Every quantifier is bounded, so that matching stays linear.

The wording follows what advertising authorities ask for (FTC Endorsement Guides; UK ASA/CAP
"Influencers' guide"; the German Medienanstalten's "Leitfaden Werbekennzeichnung"; France's law
2023-451; Spain's Autocontrol code; Brazil's CONAR guide; Portugal's Direção-Geral do Consumidor
guide; Italy's IAP Digital Chart; the Dutch Reclamecode Social Media) and what creators write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["ad", "paid_partnership", "gifted", "sponsor_thanks", "discount_code", "affiliate"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# ---------------------------------------------------------------- hashtags (underscores removed)

_TAGS: dict[Kind, str] = {
    "ad": """
        ad paidad adgifted giftedad advertisement advert advertorial sponsored spon
        sponsoredpost sponsoredad sponsoredvideo sponsoredcontent sponcon sponsoredby sponsorship
        paidpost paidpromotion paidcontent paidpromo adpost admail
        anzeige werbung bezahltewerbung unbezahltewerbung werbungunbezahlt unbeauftragtewerbung
        werbungunbeauftragt werbunganzeige anzeigewerbung gesponsert dauerwerbesendung
        produktplatzierung werbungnennung werbungverlinkung werbungmarkennennung
        publicidad publi publicidadpagada patrocinado patrocinada contenidopatrocinado
        postpatrocinado emplazamientopublicitario
        publicite sponsorise sponsorisee postsponsorise contenusponsorise videosponsorisee
        publicidade publipost publieditorial publiposte publipaga conteudopatrocinado
        postpatrocinado pubpaga
        pubblicita sponsorizzato sponsorizzata contenutosponsorizzato inserzioneapagamento
        reclame advertentie gesponsord betaaldereclame""",
    "paid_partnership": """
        paidpartnership paidpartner paidcollab paidcollaboration brandpartner brandpartnership
        brandambassador brandcollab inpaidpartnership adpartner sponsoredcollab
        kooperation bezahltekooperation bezahltepartnerschaft bezahltezusammenarbeit
        werbekooperation markenbotschafter markenbotschafterin
        colaboracion colaboracionpagada colaboracionremunerada colaboracioncomercial
        colaboracionpublicitaria embajadora embajadordemarca embajadorademarca
        collaborationcommerciale collaborationremuneree collaborationsponsorisee collabcommerciale
        partenariat partenariatremunere partenariatcommercial partenariatpaye
        parceria parceriapaga parceriacomercial parceriaremunerada colaboracaopaga
        collaborazione collaborazioneretribuita collaborazionecommerciale partnershipapagamento
        samenwerking betaaldesamenwerking betaaldpartnerschap""",
    "gifted": """
        gifted giftedby giftedproduct giftedproducts gifteditem gifteditems giftedpr prgifted
        giftedstay giftedreview prpackage prpackages prbox prgift prgifts prhaul prunboxing prmail
        prsample prsamples pressample presssample pressdrop presstrip freeproduct freesample
        complimentaryproduct receivedforfree suppliedby influenster bzzagent
        pressemuster prmuster rezensionsexemplar werbeexemplar kostenloserhalten gratisprodukt
        regalado regaladopor productoregalado productocedido cortesiade canje regalodemarca
        produitoffert produitsofferts cadeaumarque offertpar
        recebido recebidos recebidosdodia recebidinhos permuta
        prodottoomaggio omaggioazienda prodottofornito
        gekregen gekregenvan gegevendoor""",
    "discount_code": """
        discountcode couponcode rabattcode gutscheincode codepromo codigodedescuento
        codigodescuento codigodedesconto cupomdedesconto cupomdesconto codicesconto kortingscode""",
    "affiliate": """
        ltk affiliate affiliatelink affiliatelinks affiliated commissionsearned commissionearned
        commissionable earnscommission liketkit liketoknowit amazonassociate amazoninfluencer
        amazonaffiliate affiliatelinkwerbung partnerlink werbelink
        enlacedeafiliado enlacesdeafiliado linkdeafiliado linksdeafiliado afiliado afiliados
        lienaffilie liensaffilies lienaffiliation linkaffiliato linkaffiliati affiliazione""",
    "sponsor_thanks": "thankssponsor thankyousponsor thankstooursponsor",
}
HASHTAGS: dict[str, Kind] = {tag: kind for kind, tags in _TAGS.items() for tag in tags.split()}

# A tag that begins so, with the brand glued to its end ("#sponsoredbyLuma"), or with one of the
# many German reasons for a mention ("#werbungwegenmarkennennung").
TAG_PREFIXES: tuple[tuple[str, Kind, bool], ...] = (
    ("sponsoredby", "ad", True),
    ("gesponsertvon", "ad", True),
    ("patrocinadopor", "ad", True),
    ("sponsorisepar", "ad", True),
    ("giftedby", "gifted", True),
    ("cortesiade", "gifted", True),
    ("suppliedby", "gifted", True),
    ("werbungwegen", "ad", False),
    ("werbungda", "ad", False),
    ("werbungdurch", "ad", False),
    ("werbungausliebe", "ad", False),
    ("werbungohneauftrag", "ad", False),
    ("ltk", "affiliate", False),
)

# Tags that are a disclosure in one language and a plain word in another (a pub; adventure
# motorcycles): they count only in a text with more function words of that language than English.
LOCAL_TAGS: dict[str, tuple[Kind, frozenset[str]]] = {
    "pub": (
        "ad",
        _words(
            "de le la les des du une avec pour et est que com uma um para os dos da do na no nao "
            "meu minha este esta mon ma mes ce cette sur dans em ja voces je"
        ),
    ),
    "adv": (
        "ad",
        _words(
            "il lo la gli di del della che per con una un mia mio questo questa non sono "
            "het een van voor met mijn deze dit en ik"
        ),
    ),
}
ENGLISH_WORDS = _words("the and with for at of in my this is on you to we our")

# ---------------------------------------------------------------- what undoes a disclosure

# A negation counts when only fillers stand between it and the disclosure, in one clause:
# "not in any way sponsored by", "no es una publi", "keine bezahlte Werbung".
_NEGATORS = (
    r"(?:not|no|non|none|never|without|zero|neither|nor|un|\w{2,8}n't|aint|isnt|wasnt|arent|"
    r"kein|keine|keinen|keiner|keinerlei|nicht|ohne|sin|nunca|ni|tampoco|pas|sans|aucun|aucune|"
    r"jamais|nao|sem|nem|senza|nessun|nessuna|niet|geen|zonder)"
)
_FILLERS = (
    r"(?:a|an|any|the|this|that|these|those|them|is|are|was|being|been|it|it's|in|way|at|all|"
    r"actually|really|even|technically|paid|sponsored|affiliated|affiliate|associated|endorsed|"
    r"with|or|and|of|for|ein|eine|einen|einer|bezahlte|bezahlter|gesponserte|ist|von|und|oder|"
    r"dieses|dieser|un|una|uno|es|esta|este|de|ninguna|ningun|ninguno|contenido|y|o|e|la|el|une|"
    r"est|cette|ce|du|d'une|d'un|video|post|ou|um|uma|foi|ha|nenhuma|nenhum|conteudo|ad|ads|"
    r"publi|sono|stato|stata|stati|een|betaalde|gesponsorde|of|deze|dit|code|codes)"
)
NEGATED_BEFORE = re.compile(
    rf"(?:^|[^\w'])#?{_NEGATORS}[ ,#/*\"-]{{1,3}}(?:{_FILLERS}[ ,#/*\"-]{{1,3}}){{0,6}}"
    r"[#(\[*\"']?\Z"
)
# Inside a phrase ("is not kindly sponsored by"), and an answer right after it ("Sponsored? Nope").
NEGATED_INSIDE = re.compile(
    r"(?<![\w'])(?:not|never|\w{2,8}n't|nicht|kein|keine|pas|nao|niet|geen|nunca|ni)(?![\w'])"
)
NEGATED_AFTER = re.compile(r" ?\?|(?<=:) ?(?:no|nope|nein|non|nao|nee)(?= ?(?:[.,!)\n]|$))")

# ---------------------------------------------------------------- names of brands

# Words that begin what comes after a brand, or that no brand is called.
BRAND_STOPS = _words(
    """for to and or check use with get on in this that these those today who which you your me us
    myself nobody noone no none everyone anyone all it them him her viewers patrons patreon link
    links code click go head available here now thank thanks please follow via about because
    so but is are was has i we they as at by from of if when where how what
    fur und oder zum zur mit bei auf im das es sie ich wir niemand euch dir mich nutzt
    por para y con en que usa este esta nadie ustedes vosotros
    pour et avec sur dans vous nous moi personne
    pela pelo com uma um ninguem voces
    per e nessuno voor met niemand jullie op ik
    sponsoring patrocinar"""
)
# Words that may stand before a brand: "our friends at Luma", "la marque Luma".
BRAND_LEADS = _words(
    """the our my a an your friends good folks people team guys lovely amazing awesome wonderful
    kind sponsor sponsors sponsored partner partners partnering brand company at of to
    der die das dem den des unserem unserer meinem firma marke von
    el la los las al marca nuestro nuestros amigos de
    le les l' notre nos partenaire marque aux au du chez
    o os as ao nosso nossa parceiro
    il lo gli i azienda ai nostro het onze merk een vrienden bij van"""
)
# Words inside a brand, between two capitalised ones.
BRAND_CONNECTORS = _words("& + of de the and und et y e di van von du")
# Legal forms and the like at a name's end; they are not part of what it is called.
LEGAL_FORMS = _words(
    """gmbh inc incorporated ltd limited llc llp plc corp corporation co company ag kg ug se sa sas
    sasu sarl eurl spa srl bv nv ab as asa oy oyj aps sl slu lda ltda eireli pty pte kk official
    oficial officiel officielle offiziell ufficiale"""
)

# ---------------------------------------------------------------- phrases


@dataclass(frozen=True)
class Rule:
    """One way of saying it.

    Attributes:
        kind: What it discloses.
        stems: The rule is tried only where one of these is in the folded text, its letters at
            the beginning of a word (so "code" does not stand for "rabattcode").
        pattern: Matches folded text. Named groups: ``brand`` where the brand is inside the
            phrase, ``code`` for a discount code.
        brand: Whether a brand may follow the match.
        needs: ``name`` takes a match only with a brand, ``marked`` only with one that is
            capitalised or tagged, ``tagged`` only with one that begins with @ or #.
        before, not_before: Must, must not match at the end of the 80 characters before.
        not_after: Must not match right after.
        not_near: Must not be found in the same line, within 100 characters before or after.
    """

    kind: Kind
    stems: tuple[str, ...]
    pattern: re.Pattern[str]
    brand: bool = False
    needs: Literal["", "name", "marked", "tagged"] = ""
    before: re.Pattern[str] | None = None
    not_before: re.Pattern[str] | None = None
    not_after: re.Pattern[str] | None = None
    not_near: re.Pattern[str] | None = None


def _re(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("%POST%", _POST).replace("%X%", _X), re.MULTILINE)


_POST = (
    r"(?:video|vid|post|episode|vlog|stream|livestream|reel|content|recipe|look|giveaway|tutorial|"
    r"podcast|portion|part|segment|story|stories|trip|photo|blog|review|haul|tiktok|short|clip|"
    r"upload|project|series|stay|caption|collab|unboxing|routine|newsletter|"
    r"beitrag|folge|clips|reels|stories|rezept|episodio|contenido|publicacion|receta|directo|"
    r"contenu|publication|article|recette|conteudo|receita|contenuto|ricetta|"
    r"bericht|aflevering)"
)
_X = r"(?P<brand>[^\n.!?|]{2,60}?)"
_START = re.compile(r"(?:^|[\n.!?|(\[*:;,/~•·\u2013—-] ?|[^\w\s'\"&$%] ?)$")  # a clause begins here
_SELF = re.compile(
    r"(?:^|[\n.!?|(\[*:;,/~•·\u2013—-] ?|[^\w\s'\"&$%] ?)$|(?<!\w)(?:i|i'm|im|i've|ive|my|we|we'v"
    r"e|our|me|this|today|today's|ich|wir|mein|meine|meinen|dieses|dieser|mi|mis|este|esta|"
    r"nuestro|nuestra|je|j'ai|mon|ma|mes|cette|ce|notre|meu|minha|nosso|nossa|esse|essa|io|mio|"
    r"mia|questo|questa|ik|mijn|deze|dit|ons|onze)(?!\w)"
)
_OF_OTHERS = re.compile(
    r"(?<!\w)(?:teams?|clubs?|league|events?|tournament|match|race|players?|who|which|athletes?|"
    r"driver|jerseys?|shirts?|kits?|stadium|arena|festival|concert|study|studies|research|bill|"
    r"terrorism|coup|get|getting|got|be|become|becoming|how|why|when|state|cup|game|games|"
    r"legislation|protest|rally|car|cars|scandal|equipo|equipos|torneo|camiseta|club|liga|estadio|"
    r"mannschaft|verein|turnier|equipe|maillot|tournoi|stade|time|torneio|camisa|squadra|maglia)"
    r"(?: \w{1,15}){0,3} ?$"
)
_MUSIC = re.compile(
    r"(?<!\w)(?:song|songs|single|album|remix|track|cover|music|musica|musique|musik|cancion|lied|"
    r"chanson|feat|ft|duet|dueto|beat|dj|ep|tema|disco|brano|canzone|"
    r"liedje|nummer|exhibition|museum|universit\w{1,6}|ministry|ministerio|government)(?!\w)"
)
GIFTED_PEOPLE = re.compile(
    r"(?<!\w)(?:gifted (?:and talented|child\w{0,4}|kids?|students?|program\w{0,3}|hands|education|"
    r"class\w{0,2}|learners?|school|person|individuals?|people|ones?)|giftedchild\w{0,6}|"
    r"giftededucation|giftedkids|giftedandtalented)(?!\w)"
)
_FILM = re.compile(
    GIFTED_PEOPLE.pattern + r"|(?<!\w)(?:trailer|movie|film|marvel|xmen|x-men)(?!\w)"
)
_META = re.compile(
    r"(?<!\w)(?:how to|how do|how does|how (?:\w{1,12} ){1,2}works?|how i|how much|what is|what "
    r"are|what's|why|explained|explain|course|make money|earn money|making money|learn about|"
    r"beginners?|strategy|strategies|marketing|rules|laws?|ftc|asa|guidelines|versus|wie man|"
    r"geld verdienen|was ist|como ganhar|como ganar|ganar dinero|que es|que son|comment gagner|"
    r"gagner de l'argent|qu'est-ce|o que e|come guadagnare|cos'e|geld verdien)(?!\w)"
)
_NOT_A_LABEL = re.compile(r"s(?!\w)| (?:tag|tags|label|labels|tool|feature|policy|rules|law)(?!\w)")
_KIN = (
    r"my|your|his|her|their|god|nature|mom|mum|mama|dad|papa|grandma|grandpa|granny|"
    r"santa|husband|wife|hubby|sister|brother|aunt|uncle|friend|friends|students?"
)

_LABEL = (
    r"(?:(?:paid|unpaid|bezahlte|unbezahlte|unbeauftragte) )?"
    r"(?:ad|advert|advertisement|advertorial|sponsored(?: content| post| video)?|paid promotion|"
    r"anzeige|werbung|gesponsert|dauerwerbesendung|publicidad|publi|patrocinado|patrocinada|"
    r"publicidade|publicite|sponsorise|pubblicita|sponsorizzato|adv|advertentie|reclame|gesponsord)"
)
_LABEL_STEMS = (
    "ad",
    "adv",
    "advert",
    "anzeige",
    "werbung",
    "sponsor",
    "gesponsert",
    "gesponsord",
    "dauerwerbe",
    "publi",
    "pubbli",
    "patrocin",
    "paid promotion",
    "reclame",
)
_GIFT_LABEL = r"(?:gifted|pr gift|pr sample|pr-sample|press sample|pressemuster|rezensionsexemplar)"

_WITH = r"(?:with|mit|con|avec|com|met|by|von|durch|por|par|da|door|for|fur|para|pour|per|voor)"

_CODE = r"[\"'«»“”*:( ]{0,3}(?P<code>[a-z0-9][a-z0-9_-]{2,19})(?![\w'])"
_CODE_WORD = (
    r"(?:(?:discount|promo|promotional|coupon|creator|referral|voucher|offer) ?codes?|"
    r"(?:rabatt|gutschein|promo|aktions|kortings|korting|affiliate)-?codes?|"
    r"codes? (?:promo|de reduction|reduction|createur|promotionnel)|"
    r"codigos? (?:de descuento|descuento|promocional|promo|de desconto|desconto|de creador)|"
    r"cup(?:om|ons|ao|on)(?: (?:de descuento|de desconto|desconto|descuento))?|"
    r"codic[ei] (?:sconto|promo|promozionale))"
)
_CODE_STEMS = (
    "code",
    "codigo",
    "codic",
    "kode",
    "cupo",
    "cupao",
    "rabattcode",
    "rabatt-code",
    "rabattcodes",
    "gutscheincode",
    "gutschein-code",
    "promocode",
    "aktionscode",
    "couponcode",
    "discountcode",
    "kortingscode",
    "kortingcode",
    "affiliatecode",
)
_FILL = r"(?: (?:is|ist|es|e|est|:|ci-dessous|para|of|von|de|il|di|the|my|i))?"

RULES: tuple[Rule, ...] = (
    # -- labels: "(ad)", "[Anzeige]", "Werbung | ", "Ad: ", a label alone on its line, "... *ad"
    Rule(
        "ad",
        _LABEL_STEMS,
        _re(
            rf"[(\[{{*]{{1,2}} ?#?{_LABEL}"
            r"(?: ?[)\]}*]|(?: ?(?:[,|&+]|/(?!hd|dc)) ?| [\u2013—-] )[^()\[\]\n]{1,40}[)\]}])"
        ),
    ),
    Rule(
        "ad",
        _LABEL_STEMS,
        _re(rf"[(\[]{{1,2}} ?#?{_LABEL} {_WITH} (?P<brand>[^()\[\]\n]{{2,60}})[)\]]"),
    ),
    Rule(
        "ad",
        _LABEL_STEMS,
        _re(
            rf"^[^\w\n#]{{0,4}}{_LABEL}(?: ?[:|•·*»>~]{{1,2}}| ?//? (?!\w{{0,3}}$)| ?[\u2013—-] |"
            rf"$| (?=[^\w\s.,;'\"!?&@#()\[\]/%$*+=-])| (?=@)|"
            rf"(?=, unbezahlt| \(|/(?:werbung|anzeige|gifted|pr)(?!\w)))"
        ),
        brand=True,
    ),
    Rule(
        "ad",
        _LABEL_STEMS,
        _re(rf"(?<=[.!?] ){_LABEL}\.?$|\A{_LABEL}\. (?=\w)"),
        not_near=_META,
    ),
    Rule(
        "ad",
        ("ad/", "ad /", "gifted/ad", "gifted /", "anzeige/", "werbung/", "pr/gifted", "gifted/pr"),
        _re(
            r"(?<![\w/])(?:(?:ad|anzeige|werbung) ?/ ?(?:gifted|pr|anzeige|werbung|press trip)|"
            r"gifted ?/ ?(?:ad|pr)|pr ?/ ?gifted)(?![\w/])"
        ),
        brand=True,
    ),
    Rule(
        "ad",
        ("*ad", "* ad", "|ad", "| ad", "/ad", "/ ad", "~ad", "~ ad"),
        _re(r"[*|/~] ?ad\W{0,4}\Z"),
        not_before=_re(r"\w$"),
    ),
    Rule(
        "gifted",
        ("gifted", "pr gift", "pr sample", "pr-sample", "press", "rezension"),
        _re(
            rf"[(\[*]{{1,2}} ?#?(?:kindly )?{_GIFT_LABEL}(?: {_WITH} {_X})?(?: ?[,/|-] ?[^()\n]"
            rf"{{1,30}})?[)\]*]"
        ),
        not_near=_FILM,
    ),
    Rule(
        "gifted",
        ("gifted", "pr gift", "pr sample", "pr-sample", "press", "rezension"),
        _re(rf"^[^\w\n#]{{0,4}}(?:kindly )?{_GIFT_LABEL} ?(?:[:|•*/]|[\u2013—-] )"),
        brand=True,
        not_near=_FILM,
    ),
    Rule(
        "ad",
        ("werbung",),
        _re(
            r"(?<!\w)(?:(?:un)?bezahlte|unbeauftragte|enthalt(?: \w{2,12})?|beinhaltet) werbung|"
            r"(?<!\w)werbung(?:,| \(|/| -| \u2013)? ?(?:unbezahlt|unbeauftragt|bezahlt|"
            r"(?:wegen|da|aufgrund|durch) (?:\w{2,20} ){0,2}?(?:marken\w{2,20}|nennung|verlinkung|"
            r"namensnennung|pr-sample|pr|produktplatzierung|kooperation)|aus uberzeugung|"
            r"ohne auftrag)(?!\w)"
        ),
    ),
    Rule(
        "ad",
        ("werbung", "anzeige"),
        _re(r"(?<!\w)(?:werbung|anzeige) (?:fur|mit|von|in kooperation mit) (?=[@#])"),
        brand=True,
        needs="tagged",
    ),
    Rule(
        "ad",
        ("ad with", "ad for", "ad by"),
        _re(r"(?<!\w)(?:paid )?ad (?:with|for|by) (?=[@#])"),
        brand=True,
        needs="tagged",
    ),
    Rule(
        "ad",
        (
            "produktplatzierung",
            "paid p",
            "placement",
            "product placement",
            "contient",
            "contiene",
            "contem",
        ),
        _re(
            r"(?<!\w)(?:(?:includes|contains|features|this is a|this is) (?:a )?paid promotion|"
            r"(?:enthalt|unterstutzt durch|beinhaltet) produktplatzierung(?:en)?|"
            r"contains product placement|contient (?:une |de la )?(?:communication commerciale|"
            r"placement de produit)|contiene (?:comunicacion comercial|emplazamiento de producto|"
            r"comunicazione commerciale|publicidad)|contem publicidade)(?!\w)"
        ),
    ),
    Rule(
        "ad",
        (
            "an ad",
            "paid ad",
            "full ad",
            "is ad",
            "was ad",
            "is also",
            "advert",
            "sponsored",
        ),
        _re(
            r"(?<!\w)(?:this is|this was|yes this is|disclaimer:|disclosure:|this %POST% is|"
            r"this %POST% was)(?: an?| also)?(?: paid| sponsored| full)? ?"
            r"(?:ad|advert|advertisement|advertorial|sponsored|sponsored %POST%|"
            r"sponsored partnership)(?![\w'])(?! (?:by|that|i |which|campaign))"
        ),
        not_after=_re(r" ?(?:agency|astra|hoc|from 19|from 20)"),
    ),
    # -- paid partnerships
    Rule(
        "paid_partnership",
        ("paid p", "paid c", "sponsored p", "sponsored c", "commercial c"),
        _re(
            r"(?<!\w)(?:paid|sponsored|commercial) (?:partnership|collaboration|collab|partner)"
            r" (?:with|by|for|w/) ?"
        ),
        brand=True,
        not_before=_re(
            r"(?:how to (?:get|land|find)|what is|announce[sd]?|sign(?:s|ed)|land(?:s|"
            r"ed)?|reveal(?:s|ed)?) (?:an? |their |his |her )?(?:\w{2,12} )?$"
        ),
    ),
    Rule(
        "paid_partnership",
        ("paid p", "paid c", "sponsored p"),
        _re(
            r"(?<!\w)(?:in |this is a |#)?(?:paid|sponsored) (?:partnership|collaboration|"
            r"collab)(?!\w)"
        ),
        before=_START,
        not_after=_re(_NOT_A_LABEL.pattern + r"| (?:with|by|for|w/)|.{0,20}\?"),
        not_near=_META,
    ),
    Rule(
        "paid_partnership",
        ("partnership",),
        _re(r"(?<!\w)in (?:proud |exciting )?(?:partnership|partner) with ?"),
        brand=True,
        needs="marked",
        before=_SELF,
        not_near=_MUSIC,
    ),
    Rule(
        "paid_partnership",
        ("partnership",),
        _re(r"(?<!\w)in partnership with (?=@)"),
        brand=True,
    ),
    Rule(
        "paid_partnership",
        ("partner", "teamed", "teaming", "colabora", "kooperation", "parceria", "samenwerking"),
        _re(
            r"(?<!\w)(?:partnered|partnering|teamed up|teaming up|partnership) with (?=@)|"
            r"(?<!\w)(?:colaboracion con|kooperation mit|parceria com|partenariat avec|"
            r"samenwerking met) (?=@)"
        ),
        brand=True,
        needs="tagged",
        before=_START,
        not_near=_MUSIC,
    ),
    Rule(
        "paid_partnership",
        ("partner", "teamed", "teaming"),
        _re(
            r"(?<!\w)(?:i|we|i've|we've|i'm|we're|i have|we have|i am|we are|ive|im|so|"
            r"proud(?:ly)?|excited|happy|thrilled)(?: (?:again|proudly|recently|happily|to|be|"
            r"also|so|excited|thrilled|happy|have|just)){0,3} (?:partnered|partnering|partner|"
            r"teamed|teaming|team)(?: back)?(?: up)? with ?"
        ),
        brand=True,
        needs="marked",
        not_near=_MUSIC,
    ),
    Rule(
        "paid_partnership",
        ("ambassador", "partner"),
        _re(
            r"(?<!\w)(?:as an? |i'm an? |i am an? |proud )(?:official |proud |brand )?"
            r"(?P<brand>@[\w.]{2,30}) (?:brand )?(?:ambassador|partner)(?!\w)"
        ),
    ),
    Rule(
        "paid_partnership",
        ("ambassador",),
        _re(r"(?<!\w)(?:proud|official) (?:to be (?:an? )?)?(?:brand )?ambassador (?:for|of) "),
        brand=True,
        needs="marked",
        not_near=_re(r"goodwill|embassy|unicef|united nations"),
    ),
    Rule(
        "paid_partnership",
        ("bezahlte", "gesponserte", "werbekoop", "werbe-koop"),
        _re(
            r"(?<!\w)(?:in )?(?:(?:bezahlte[rn]?|gesponserte[rn]?) (?:kooperation|partnerschaft|"
            r"zusammenarbeit)|werbe-?kooperation)(?: mit)?(?!\w) ?"
        ),
        brand=True,
        not_near=_re(r"(?<!\w)(?:wie man|was ist|so bekommst)(?!\w)"),
    ),
    Rule(
        "paid_partnership",
        ("kooperation", "zusammenarbeit", "partnerschaft"),
        _re(
            r"(?<!\w)in (?:toller |freundlicher )?(?:kooperation|zusammenarbeit|partnerschaft) mit "
        ),
        brand=True,
        needs="marked",
        before=_SELF,
        not_near=_MUSIC,
    ),
    Rule(
        "paid_partnership",
        ("colaboracion", "alianza", "asociacion"),
        _re(
            r"(?<!\w)(?:en )?(?:colaboracion|alianza|asociacion) (?:pagada|remunerada|comercial|"
            r"publicitaria|patrocinada)(?: con)?(?!\w) ?"
        ),
        brand=True,
        not_near=_META,
    ),
    Rule(
        "paid_partnership",
        ("colabora",),
        _re(r"(?<!\w)en colaboracion con "),
        brand=True,
        needs="marked",
        before=_SELF,
        not_near=_MUSIC,
    ),
    Rule(
        "paid_partnership",
        ("partenariat", "collab"),
        _re(
            r"(?<!\w)(?:en )?(?:collaboration|collab|partenariat) (?:commerciale?|remuneree?|"
            r"sponsorisee?|payee?)(?: avec)?(?!\w) ?"
        ),
        brand=True,
        not_near=_META,
    ),
    Rule(
        "paid_partnership",
        ("partenariat", "collab"),
        _re(r"(?<!\w)en (?:partenariat|collaboration|collab) avec "),
        brand=True,
        needs="marked",
        before=_SELF,
        not_near=_MUSIC,
    ),
    Rule(
        "paid_partnership",
        ("parceria", "colaboracao"),
        _re(
            r"(?<!\w)(?:em )?(?:parceria|colaboracao) (?:paga|remunerada|comercial)(?: "
            r"com)?(?!\w) ?"
        ),
        brand=True,
        not_near=_META,
    ),
    Rule(
        "paid_partnership",
        ("parceria",),
        _re(r"(?<!\w)em parceria com "),
        brand=True,
        needs="marked",
        before=_SELF,
        not_near=_MUSIC,
    ),
    Rule(
        "paid_partnership",
        ("collaborazione", "partnership"),
        _re(
            r"(?<!\w)(?:in )?(?:collaborazione|partnership) (?:retribuita|a pagamento|commerciale|"
            r"pubblicitaria|sponsorizzata|pagata)(?: con)?(?!\w) ?"
        ),
        brand=True,
        not_near=_META,
    ),
    Rule(
        "paid_partnership",
        ("collaborazione",),
        _re(r"(?<!\w)in collaborazione con "),
        brand=True,
        needs="marked",
        before=_SELF,
        not_near=_MUSIC,
    ),
    Rule(
        "paid_partnership",
        ("samenwerking", "partnerschap"),
        _re(r"(?<!\w)(?:in )?(?:betaalde? (?:samenwerking|partnerschap))(?: met)?(?!\w) ?"),
        brand=True,
        not_near=_META,
    ),
    Rule(
        "paid_partnership",
        ("samenwerking",),
        _re(r"(?<!\w)in samenwerking met "),
        brand=True,
        needs="marked",
        before=_SELF,
        not_near=_MUSIC,
    ),
    # -- sponsors
    Rule(
        "sponsor_thanks",
        ("sponsored by",),
        _re(
            r"(?<!\w)(?:this|today's|todays|tonight's|week's|the|my) (?:\w{2,12} ){0,2}?%POST% "
            r"(?:is|was|has been|are) (?:\w{2,12} ){0,2}?sponsored by "
        ),
        brand=True,
        needs="name",
    ),
    Rule(
        "sponsor_thanks",
        ("brought to you", "made possible", "powered by", "presented by"),
        _re(
            r"(?<!\w)(?:this|today's|todays|tonight's|week's|the|my) (?:\w{2,12} ){0,2}?%POST% "
            r"(?:is|was|has been|are) (?:\w{2,12} ){0,2}?(?:brought to you|made possible|powered|"
            r"presented) by "
        ),
        brand=True,
        needs="marked",
    ),
    Rule(
        "sponsor_thanks",
        ("sponsoring",),
        _re(r"(?<!\w)(?:thanks|thank you) for (?:kindly )?sponsoring (?:this|today's) %POST%"),
    ),
    Rule(
        "sponsor_thanks",
        ("sponsored by",),
        _re(r"(?<![\w-])#?sponsored by "),
        brand=True,
        needs="marked",
        not_before=_OF_OTHERS,
        not_near=_re(r"(?<!\w)(?:how to|why is|why are|who is)(?!\w)"),
    ),
    Rule(
        "sponsor_thanks",
        ("sponsor",),
        _re(
            r"(?<!\w)(?:thanks|thank you|thankyou|thx|shout-? ?out)(?: (?:so|very|again|much|a "
            r"lot)){0,3}(?: to)?(?: our (?:friends|sponsors?)(?: at)?,?)? %X% (?:for|who) "
            r"(?:kindly |again |also |generously )?(?:sponsoring|sponsored|partnering|"
            r"supporting)(?: (?:with|this|today|the|my|our|me|us|these|on|another)\b| "
            r"?(?:[.!,)\n]|$|[^\w\s]))"
        ),
        not_after=_re(
            r" (?:\w{1,15} ){0,2}(?:team|teams|league|club|event|tournament|school|race|trip "
            r"to)(?!\w)"
        ),
    ),
    Rule(
        "sponsor_thanks",
        ("partnering",),
        _re(
            r"(?<!\w)(?:thanks|thank you)(?: (?:so|again|much)){0,2}(?: to)? "
            r"%X% for (?:partnering|teaming up|collaborating) (?:with|on)"
        ),
        needs="marked",
    ),
    Rule(
        "sponsor_thanks",
        ("sponsor",),
        _re(
            r"(?<!\w)(?P<brand>[@\w][\w.&'-]{1,30}) (?:kindly )?sponsored (?:this|today's|my) "
            r"%POST%"
        ),
        needs="marked",
    ),
    Rule(
        "sponsor_thanks",
        ("sponsor",),
        _re(
            r"(?<!\w)(?:(?:today's|this (?:video|episode|week|month)'s|our|the video's) (?:video "
            r")?sponsor(?:s)?(?: today)?(?: is|:|,)?|a word from (?:our|today's) "
            r"sponsors?,?|thanks to (?:our|today's) sponsors?,?|^sponsors?:) ?"
        ),
        brand=True,
        needs="name",
        not_near=_re(r"(?<!\w)(?:find|get|lost|lose|new kit|season)(?!\w)"),
    ),
    Rule(
        "sponsor_thanks",
        ("gesponsert", "unterstutz", "prasentiert", "wird von", "wurde von"),
        _re(
            r"(?<!\w)(?:dieses|dieser|diese|das|der) (?:\w{2,12} )?%POST% (?:wird|wurde|ist) "
            r"(?:\w{2,12} ){0,2}?(?:gesponsert |unterstutzt |prasentiert )?(?:von|durch) "
            r"(?P<brand>[^\n.!?|]{2,40}?)(?: (?:gesponsert|unterstutzt|prasentiert)(?!\w)|"
            r"(?=[.!\n]|$))"
        ),
        before=None,
        not_near=_re(r"(?<!\w)(?:verein|mannschaft|gedreht|erstellt|gemacht|inspiriert)(?!\w)"),
    ),
    Rule(
        "sponsor_thanks",
        ("gesponsert", "gesponsord"),
        _re(r"(?<!\w)(?:gesponsert (?:von|durch)|gesponsord door) "),
        brand=True,
        needs="marked",
        not_before=_OF_OTHERS,
    ),
    Rule(
        "sponsor_thanks",
        ("gesponser", "gesponsord", "sponsorise", "patrocinad", "sponsorizzat"),
        _re(
            r"(?<!\w)(?:dieses|dieser|diese|ce|cet|cette|este|esta|esse|essa|questo|questa|deze|"
            r"dit) %POST% (?:ist|wird|wurde|est|es|esta|e|foi|fue|is|werd|wordt) (?:gesponsert|"
            r"gesponsord|sponsorisee?|patrocinad[oa]|sponsorizzat[oa])(?!\w)"
        ),
    ),
    Rule(
        "sponsor_thanks",
        ("sponsor", "sponsern", "sponserung", "unterstutzung"),
        _re(
            r"(?<!\w)(?:danke|dank|vielen dank)(?: (?:an|geht an))? %X% (?:fur|furs) (?:das |die "
            r"|die freundliche )?(?:sponsoring|sponsern|sponserung|unterstutzung dieses|"
            r"unterstutzung des)"
        ),
    ),
    Rule(
        "sponsor_thanks",
        ("sponsor",),
        _re(
            r"(?<!\w)(?:bedankt|dank je|dank|met dank aan)(?: aan)? %X% voor (?:het "
            r")?sponsor(?:en|ing|eren)"
        ),
    ),
    Rule(
        "sponsor_thanks",
        ("patrocin",),
        _re(
            r"(?<!\w)(?:gracias|obrigad[oa])(?: (?:a|al|ao|pra|para|de nuevo))? ?%X% "
            r"(?:por|pelo) (?:patrocinar|patrocinarnos|patrocinarme|patrocinio|el patrocinio|"
            r"ter patrocinado|haber patrocinado)"
        ),
        not_after=_re(
            r" (?:a |al |ao |o |el )?(?:nuestro |nosso |o )?(?:equipo|equipe|time|club|torneo)"
        ),
    ),
    Rule(
        "sponsor_thanks",
        ("patrocinad",),
        _re(r"(?<!\w)patrocinad[oa] (?:por|pela|pelo) "),
        brand=True,
        needs="marked",
        not_before=_OF_OTHERS,
    ),
    Rule(
        "sponsor_thanks",
        (
            "patrocinad",
            "sponsorise",
            "sponsorizzat",
            "gesponsord",
            "gesponsert",
        ),
        _re(
            r"(?<!\w)(?:contenido patrocinado|conteudo patrocinado|contenu sponsorise|video "
            r"sponsorisee|post sponsorise|video patrocinad[oa]|post patrocinado|contenuto "
            r"sponsorizzato|video sponsorizzato|post sponsorizzato|gesponsorde (?:post|video)|"
            r"gesponserte[rs]? (?:beitrag|video|post))(?! par | por | da | von )(?!\w)"
        ),
        before=_START,
        not_near=_META,
    ),
    Rule(
        "sponsor_thanks",
        ("sponsoris",),
        _re(
            r"(?<!\w)merci (?:beaucoup |encore )?(?:a |aux? )?%X% (?:de |d'|pour )(?:avoir )?"
            r"(?:sponsoris(?:er|e)|soutenir cette|le sponsoring|ce partenariat|ce sponsoring)(?!\w)"
        ),
        not_after=_re(r" (?:notre |le |l')?(?:club|equipe|tournoi)"),
    ),
    Rule(
        "sponsor_thanks",
        ("partenariat",),
        _re(r"(?<!\w)merci (?:beaucoup |encore )?(?:a |aux? )?%X% pour (?:ce|le|leur) partenariat"),
    ),
    Rule(
        "sponsor_thanks",
        ("sponsorise",),
        _re(r"(?<!\w)sponsorisee? par "),
        brand=True,
        needs="marked",
        not_before=_OF_OTHERS,
    ),
    Rule(
        "sponsor_thanks",
        ("sponsorizz",),
        _re(r"(?<!\w)sponsorizzat[oa] d(?:a|al|alla|ai) "),
        brand=True,
        needs="marked",
        not_before=_OF_OTHERS,
    ),
    Rule(
        "sponsor_thanks",
        ("sponsorizz",),
        _re(
            r"(?<!\w)grazie (?:mille )?(?:a|ad|al|alla) %X% per (?:aver |avere "
            r")?sponsorizza(?:to|re)"
        ),
    ),
    # -- gifts
    Rule(
        "gifted",
        ("gifted by", "gifted from"),
        _re(rf"(?<!\w)gifted (?:to me |to us )?(?:by|from) (?!(?:{_KIN})(?!\w))"),
        brand=True,
        needs="marked",
    ),
    Rule(
        "gifted",
        ("gifted",),
        _re(
            r"(?<!\w)(?:(?:was|were|been|kindly) gifted (?:this|these|the|to me|a free)(?!\w)|"
            r"(?:items?|products?|pieces?|stay|meal)(?: was| were| is| are)? (?:kindly "
            r")?gifted(?!\w)|gifted (?:item|items|product|products|stay|meal|pr)(?!\w))"
        ),
        not_near=re.compile(
            _FILM.pattern
            + r"|(?<!\w)(?:birthday|christmas|by my|grand\w{2,6}|boyfriend|husband)(?!\w)"
        ),
    ),
    Rule("gifted", ("c/o @",), _re(r"(?<!\w)c/o (?P<brand>@[\w.]{2,30})")),
    Rule(
        "gifted",
        (
            *("enviarme", "regalarme", "regalo", "geschenk", "zusenden", "gifting", "sending"),
            *("envoye", "envoi", "enviado", "presente", "avermi", "omaggio"),
        ),
        _re(
            r"(?<!\w)(?:thanks|thank you|danke|gracias|merci|obrigad[oa]|grazie)(?: (?:to|an|a|"
            r"so much|muito))?,? (?P<brand>@[\w.]{2,30}) (?:for|fur|por|pour|pelo|per) "
            r"(?:\w{1,6} )?(?:gifting|sending|geschenk|zusenden|enviarme|regalarme|regalo|envoye|"
            r"envoi|m'avoir envoye|enviado|presente|avermi inviato|omaggio)(?!\w)"
        ),
    ),
    Rule(
        "gifted",
        (
            "gifted me",
            "gifted us",
            "sent me",
            "sent us",
            "sending me",
            "sending us",
            "gifting me",
        ),
        _re(
            r"(?P<brand>@[\w.]{2,30}) (?:for )?(?:so |very |has |have )?(?:kindly |generously )?"
            r"(?:gifted|gifting|sent|sending) (?:me|us) "
        ),
        not_after=_re(r"(?:\w+ )?(?:dm|message|text|photo|pic|meme|video|link)(?!\w)"),
    ),
    Rule(
        "gifted",
        ("pr p", "pr b", "pr u", "pr h", "pr g", "pr m", "pr s", "pr-"),
        _re(
            r"(?<![\w-])pr[ -](?:package|packages|box|boxes|unboxing|haul|gift|gifts|mail|sample|"
            r"samples|paket|pakete|parcel)(?!\w)(?: (?:from|von|de|by|da) )?"
        ),
        brand=True,
        not_near=re.compile(
            _META.pattern + r"|(?<!\w)(?:get on|pull request|merge|squats?|"
            r"deadlift|bench|gym|lifting|marathon|race)(?!\w)"
        ),
    ),
    Rule(
        "gifted",
        ("exchange", "free", "complimentary", "courtesy of", "press sample"),
        _re(
            r"(?<!\w)(?:(?:received|given|sent|provided)(?: me| us)?(?: with)?(?: \w{2,15}){1,6} "
            r"(?:free of charge|for free|free|complimentary|in exchange for (?:an? |my "
            r")?(?:honest |unbiased )?(?:review|opinion|feedback))|in exchange for (?:an? |my "
            r")?(?:honest|unbiased|fair) (?:review|opinion|feedback)|complimentary (?:product|"
            r"products|item|items|stay|from|copy)|(?:stay|product|products|meal|dinner|tickets|"
            r"outfit|dress|look) courtesy of|press samples?)(?!\w)(?: (?:from|by) )?"
        ),
        brand=True,
        not_near=_META,
    ),
    Rule(
        "gifted",
        ("verfugung", "geschenkt", "pressemuster", "zugeschickt", "rezensionsexemplar"),
        _re(
            r"(?<!\w)(?:(?:wurde|wurden|hat|haben) (?:mir|uns) (?:freundlicherweise |kostenlos "
            r")?(?:von )(?P<brand>[^\n.!?|]{2,40}?) (?:\w{4,20} )?(?:zur verfugung gestellt|"
            r"geschenkt|zugeschickt|zugesendet|zugesandt)|"
            r"kostenlos(?:e[sn]?)? (?:rezensionsexemplar|zur verfugung gestellt|testprodukt)|"
            r"pressemuster(?!\w))"
        ),
        not_near=_re(r"(?<!\w)von (?:meiner|meinem|meinen|oma|opa|mama|papa)(?!\w)"),
    ),
    Rule(
        "gifted",
        ("regalad", "cortesia", "cedid", "gentileza", "producto"),
        _re(
            r"(?<!\w)(?:regalad[oa]s? por|cortesia d[eao](?: la)?|cedid[oa]s? por|por gentileza de|"
            r"producto regalado(?: por)?|productos regalados(?: por)?) "
        ),
        brand=True,
        needs="marked",
        not_near=_FILM,
    ),
    Rule(
        "gifted",
        ("offert",),
        _re(r"(?<!\w)offerte?s? par (?:la marque )?(?=@)"),
        brand=True,
        needs="tagged",
    ),
    Rule(
        "gifted",
        ("offert",),
        _re(
            r"(?<!\w)(?:produits?|article|articles|tenue|sejour|cadeaux?|nuit|repas) "
            r"(?:gracieusement |m'a ete |gentiment )?(?:offerte?s?)(?: par (?:la marque )?)?(?!\w)"
        ),
        brand=True,
        not_near=_re(r"(?<!\w)(?:ma mere|mon mari|noel|anniversaire|pour l'achat|achete)(?!\w)"),
    ),
    Rule(
        "gifted",
        ("recebid", "produto", "presente"),
        _re(
            r"(?<!\w)(?:recebidos? (?:da|do|de)(?: "
            r"marca)?|produtos? (?:enviados?|recebidos?|cedidos?) (?:pela|pelo|por|da|do)|"
            r"presente d[ao] marca) "
        ),
        brand=True,
        needs="marked",
    ),
    Rule(
        "gifted",
        ("prodotto", "prodotti"),
        _re(
            r"(?<!\w)prodott[oi] (?:gentilmente )?(?:omaggiat[oi]|offert[oi]|fornit[oi]|"
            r"inviat[oi]|regalat[oi]) (?:da|dal|dalla) "
        ),
        brand=True,
    ),
    Rule(
        "gifted",
        ("gekregen",),
        _re(r"(?<!\w)(?:gratis |cadeau )?gekregen van "),
        brand=True,
        needs="tagged",
    ),
    # -- discount codes
    Rule(
        "discount_code",
        _CODE_STEMS,
        _re(rf"(?<![\w-]){_CODE_WORD}{_FILL}{_CODE}"),
        brand=True,
    ),
    Rule(
        "discount_code",
        _CODE_STEMS,
        _re(
            r"(?<!\w)(?:use|using|with|enter|apply|add|my|mit|mit dem|mit meinem|nutzt|nutze|usa|"
            r"usad|usando|use o|con|con el|con mi|utiliza|utilizando|aplica|avec|avec le|avec "
            r"mon|utilise|utilisez|com|com o|com meu|il|con il|met|met de|met mijn|gebruik|mijn|"
            r"mein|mon|mi|meu)(?: (?:my|the|our|el|mi|le|mon|den|dem|meinen|o|meu|il|mio|de|mijn|"
            r"personal|exclusive))"
            rf"{{0,2}} (?:code|codigo|codice|kode):?{_FILL}{_CODE}"
        ),
        brand=True,
        not_before=_re(r"(?:redeem|qr|zip|source|area|dress|cheat|error|morse|friend|postal) $"),
    ),
    Rule(
        "discount_code",
        _CODE_STEMS,
        _re(rf"(?:^|[\n.!?|(\[*] ?)(?:code|codigo|codice) ?(?::|=|-|\u2013|->) ?{_CODE}"),
        not_near=_re(r"(?<!\w)(?:roblox|python|java|github|error|friend code|qr code|codes)(?!\w)"),
    ),
    Rule(
        "discount_code",
        _CODE_STEMS,
        _re(
            rf"(?<!\w)(?:my|mein|meinen|meinem|mon|mi|meu|mio|mijn|a) (?:\w{{2,12}} "
            rf")?{_CODE_WORD}(?!\w)(?! (?:works?|worked|expired))|(?<![\w-]){_CODE_WORD} "
            rf"(?:(?:is |ist |est |esta |is )?(?:in|en|na|nella|im|in the|in my|in der|dans la|"
            rf"dans ma|na minha|en mi|en la|in mijn|in de) (?:bio|description|descripcion|"
            rf"descricao|descrizione|beschreibung|link|story|stories|infobox|barre d'info|profil|"
            rf"profile|comments|caption|beschrijving)|below|unten|abajo|ci-dessous|abaixo|"
            rf"hieronder)(?!\w)"
        ),
        not_near=_META,
    ),
    Rule(
        "discount_code",
        ("%", "checkout"),
        _re(
            r"(?<![\w'])(?:use |code |code: |with )?(?P<code>[a-z]{2,15}\d{1,3}) (?:gets you|for|"
            r"to save|saves you|to get|at checkout|spart|para|pour) (?:[^\n.!?]{0,20}?\d{1,2} ?%|"
            r"[^\n.!?]{0,20}(?<!\w)(?:save|off)(?!\w))"
        ),
        brand=True,
    ),
    Rule(
        "discount_code",
        ("%",),
        _re(
            r"(?<!\d)\d{1,2} ?% ?(?:off|discount|rabatt|de descuento|descuento|de dto|dto|de "
            r"desconto|desconto|off|de reduction|de remise|di sconto|sconto|korting|savings?)(?: "
            r"[^\n.!?]{0,40}?)? (?:code|codigo|codice|cupom|cupon|cupao|with|mit|con|avec|com|met) "
            rf"(?:my |the |code |dem |meinem |mi |le |mon |o |meu ){{0,2}}{_CODE}"
        ),
    ),
    # -- affiliate links
    Rule(
        "affiliate",
        (
            "amzn.",
            "amazon.",
            "tag=",
            "liketk.it",
            "ltk",
            "liketoknow.it",
            "rstyle.me",
            "shopstyle",
            "shareasale",
            "awin1",
            "linksynergy",
            "prf.hn",
            "howl.me",
            "geni.us",
            "kit.co/",
            "aff=",
            "aff_",
            "affid",
            "affiliate",
            "magik.ly",
            "tidd.ly",
            "anrdoezrs",
            "dpbolvw",
            "jdoqocy",
            "tkqlhce",
            "kqzyfj",
            "pntra",
            "aliexpress",
            "shop-links",
        ),
        _re(
            r"(?<![\w-])(?:amzn\.to/|amzn\.eu/|amzn\.com/|amazon\.[a-z.]{2,7}/(?:shop/|"
            r"[^\s]{0,300}[?&]tag=)|liketk\.it/|liketoknow\.it|(?:www\.)?shopltk\.com|"
            r"rstyle\.me/|shopstyle\.(?:it|com)/|shopstyle\.co\.uk/|shareasale\.com/|awin1\.com/|"
            r"click\.linksynergy\.com/|prf\.hn/|howl\.me/|geni\.us/|kit\.co/|go\.magik\.ly/|"
            r"tidd\.ly/|anrdoezrs\.net|dpbolvw\.net|jdoqocy\.com|tkqlhce\.com|kqzyfj\.com|"
            r"pntra[a-z]?\.(?:com|net)|s\.click\.aliexpress\.com|shop-links\.co/)|"
            r"(?<=[?&])(?:tag=[\w-]{2,40}-2\d(?!\w)|aff(?:_?id|iliate(?:_?id)?|_fcid)?=[\w-]{1,60})"
        ),
    ),
    Rule(
        "affiliate",
        (
            "affili",
            "afili",
            "ltk",
            "partnerlink",
            "partner-link",
            "partner link",
            "werbelink",
            "d'affili",
        ),
        _re(
            r"(?<![\w-])(?:affiliate[ -]?links?|(?:on|in|via|on my|in my|shop my) ltk|"
            r"affiliate[ -]?codes?|partner-?links?\*?|werbelinks?|affiliate (?:partner|"
            r"disclosure)|(?:liens?|code) (?:d')?affili(?:es?|ation)|(?:enlaces?|links?) (?:de "
            r")?afiliad[oa]s?|(?:enlaces?|links?) de afiliacion|link (?:di )?affilia(?:ti|to|"
            r"zione))(?!\w)"
        ),
        not_near=_META,
    ),
    Rule(
        "affiliate",
        (
            "commission",
            "provision",
            "comision",
            "comissao",
            "commissie",
            "qualifying",
            "amazon associate",
            "amazon-partner",
            "amazonpartner",
            "partenaire amazon",
        ),
        _re(
            r"(?<!\w)(?:(?:i|we)(?: may| might| will| could| can)? (?:earn|receive|get|make) "
            r"(?:an? )?(?:small |tiny |little |affiliate )?commissions?|earn from qualifying "
            r"purchases|as an amazon associate|als amazon-?partner verdiene|(?:erhalte|bekomme) "
            r"ich (?:eine )?(?:kleine )?provision|en tant que partenaire amazon|(?:touche|"
            r"percois|recois) une (?:petite )?commission|(?:gano|recibo|llevo) una (?:pequena "
            r")?comision|(?:ganho|recebo) uma (?:pequena )?comissao|ricevo una (?:piccola "
            r")?commissione|(?:krijg|ontvang) ik (?:een )?(?:kleine )?commissie|"
            r"commission earned|commissionable links?)(?!\w)"
        ),
    ),
)
