"""The names that people give to the columns of creators, posts and sponsorships.

English, German, Spanish, French and Portuguese, as compared by `columns.bare`. Knows nothing of
values.
"""

from __future__ import annotations

from training.sources.columns import Aliases

_CREATOR: dict[str, list[str]] = {
    "creator_id": ["creatorid", "accountid", "influencerid"],
    "platform": ["platform", "network", "socialnetwork", "plattform", "netzwerk", "plataforma",
                 "plateforme", "red", "redsocial", "rede", "réseau"],
    "handle": ["handle", "username", "user", "account", "accountname", "profile", "profilename",
               "instagramhandle", "tiktokhandle", "creator", "influencer", "benutzername",
               "nutzername", "konto", "usuario", "usuário", "cuenta", "conta", "identifiant",
               "compte", "pseudo"],
}  # fmt: skip

ALIASES: dict[str, Aliases] = {
    "creators": {
        **_CREATOR,
        "follower_count": ["followercount", "followers", "follower", "subscribers",
                           "subscribercount", "audiencesize", "fans", "abonnenten", "seguidores",
                           "abonnés", "abonnes", "inscritos"],
        "display_name": ["displayname", "name", "fullname", "channel", "channelname", "nombre",
                         "nome", "nom", "kanal"],
        "bio": ["bio", "biography", "description", "about", "beschreibung", "descripción",
                "descrição", "biographie"],
        "url": ["url", "link", "profileurl", "profilelink", "channelurl", "website", "enlace"],
        "country": ["country", "countrycode", "location", "land", "país", "pais", "pays"],
        "language": ["language", "lang", "sprache", "idioma", "langue"],
        "price_per_post": ["priceperpost", "price", "rate", "fee", "costperpost", "cost", "preis",
                           "honorar", "precio", "tarifa", "preço", "prix", "tarif"],
        "currency": ["currency", "währung", "waehrung", "moneda", "devise", "moeda"],
        "accepts_gifting": ["acceptsgifting", "gifting", "gifted", "productswap", "barter"],
        "niche": ["niche", "category", "topic", "vertical", "kategorie", "thema", "categoría",
                  "categoria", "catégorie", "nicho"],
        "observed_at": ["observedat", "asof", "updated", "updatedat", "lastupdated", "stand",
                        "date", "datum", "fecha"],
    },
    "posts": {
        "post_id": ["postid", "mediaid", "videoid", "id"],
        **_CREATOR,
        "published_at": ["publishedat", "published", "postedat", "posted", "date", "time",
                         "timestamp", "createdat", "datum", "veröffentlicht", "fecha", "data"],
        "text": ["text", "caption", "title", "description", "content", "post", "beschreibung",
                 "texto", "texte", "legende", "légende"],
        "likes": ["likes", "likecount", "hearts", "gefälltmir", "megusta", "jaime", "curtidas"],
        "comments": ["comments", "commentcount", "kommentare", "comentarios", "comentários",
                     "commentaires"],
        "views": ["views", "viewcount", "plays", "playcount", "impressions", "aufrufe", "vistas",
                  "visualizações", "vues"],
        "shares": ["shares", "sharecount", "reposts", "geteilt", "compartidos", "partages"],
        "saves": ["saves", "savecount", "bookmarks", "favorites", "gespeichert", "guardados"],
        "url": ["url", "link", "permalink", "posturl", "enlace"],
        "is_sponsored": ["issponsored", "sponsored", "paid", "ad", "werbung", "patrocinado"],
        "sponsor": ["sponsor", "brand", "partner", "marke", "marca", "marque"],
        "observed_at": ["observedat", "asof", "exportedat", "stand"],
    },
    "sponsorships": {
        "sponsorship_id": ["sponsorshipid", "collaborationid", "dealid", "bookingid", "id"],
        **_CREATOR,
        "campaign_id": ["campaignid", "campaign", "kampagne", "campaña", "campanha", "campagne"],
        "brand": ["brand", "client", "advertiser", "marke", "kunde", "marca", "marque"],
        "brief": ["brief", "briefing", "description", "ask", "task", "auftrag"],
        "started_at": ["startedat", "start", "startdate", "date", "from", "livedate", "beginn",
                       "datum", "inicio", "début"],
        "resolved_at": ["resolvedat", "end", "enddate", "until", "ende", "fin", "fim"],
        "cost": ["cost", "fee", "price", "spend", "budget", "kosten", "honorar", "costo", "coût"],
        "impressions": ["impressions", "views", "reach", "impressionen", "impresiones"],
        "clicks": ["clicks", "linkclicks", "visits", "klicks", "clics", "cliques"],
        "conversions": ["conversions", "orders", "sales", "purchases", "bestellungen", "verkäufe",
                        "conversiones", "ventas", "commandes", "ventes", "conversões"],
        "revenue": ["revenue", "salesvalue", "turnover", "umsatz", "ingresos", "receita", "ca"],
        "currency": ["currency", "währung", "waehrung", "moneda", "devise", "moeda"],
        "post_id": ["postid", "mediaid", "videoid"],
    },
}  # fmt: skip

# Beside whose it is: a handle or an id of the creator.
REQUIRED: dict[str, tuple[str, ...]] = {
    "creators": (),
    "posts": ("published_at", "likes", "comments"),
    "sponsorships": ("campaign_id", "brand", "brief", "started_at", "conversions"),
}

PLATFORM_NAMES = {
    "ig": "instagram",
    "insta": "instagram",
    "yt": "youtube",
    "tt": "tiktok",
    "twitter": "x",
    "fb": "facebook",
}
