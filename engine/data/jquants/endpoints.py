"""Which call fills which table, and what its answer becomes: units, and the session from which a row may be
used.
"""

import datetime as dt

import polars as pl

from engine.data.jquants.tables import Endpoint, VendorRules
from engine.data.tables import BAR_SCHEMA, INDEX_SCHEMA, OPTIONAL, SECURITY_SCHEMA, Schema

_BEFORE_CLOSE = "15:00"
"""A statement disclosed before this hour can be acted on at that day's close."""
_IN_TIME = "14:00"
"""A document disclosed before this hour reaches the service by the close: it takes up to an hour."""
_FIRST_HOLDING = dt.date(2021, 7, 1)
"""First reports of large holdings that the vendor has."""
_PRODUCTS = {
    "012": "Preferred Equity Investment Certificates", "013": "REITs", "014": "ETFs",
    "022": "Foreign REITs", "023": "Foreign ETFs",
}  # fmt: skip
"""Product category -> sector of what is no share of a company; the industries call all of it `Other`."""
_MARGIN_LAG = 3
"""Sessions from a weekly balance to its use where no publication date is given: Friday's balance is
published on Tuesday after the close."""
ALL_MARKETS = "TokyoNagoya"
"""The section of the investor statistics that holds the others, and that the market reform of April 2022
did not cut in two."""
_INVESTORS = {
    "Prop": "proprietary", "Ind": "individual", "Frgn": "foreign", "SecCo": "securities_company",
    "InvTr": "investment_trust", "BusCo": "business_company", "OthCo": "other_company",
    "InsCo": "insurance", "Bank": "bank", "TrstBnk": "trust", "OthFin": "other_financial",
}  # fmt: skip
"""Beginning of the vendor's columns of an investor type -> our type."""
MASTER_SCHEMA: Schema = {"date": pl.Date, **SECURITY_SCHEMA}
"""The list of issues as of ``date``."""
PART_SCHEMA = {name: dtype for name, dtype in BAR_SCHEMA.items() if name != "dividend"}
"""The API's bars know no dividends."""


def _master(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """``shortable``: issues of the loan class; null where the plan hides it."""
    return typed.with_columns(
        name=pl.coalesce("english", "name"),
        sector=pl.when(pl.col("ProdCat").is_in(list(_PRODUCTS)))
        .then(pl.col("ProdCat").replace(_PRODUCTS))
        .otherwise(pl.col("S33").replace(dict(rules.sectors))),
        industry=pl.col("S17").replace(dict(rules.industries)),
        shortable=pl.col("Mrgn") == "2",
        borrow_class=pl.lit(None, pl.String),
    )


def _flow(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """Flows of all markets together; the vendor counts in thousand yen.

    A correction is a second row for the same week with a later ``available``.
    """
    typed = typed.filter(pl.col("Section") == ALL_MARKETS)
    typed = typed.with_columns(available=rules.after(typed["PubDate"]))
    sides = {"buy": "Buy", "sell": "Sell"}
    return pl.concat(
        typed.select(
            "date", "available", investor=pl.lit(ours),
            **{side: pl.col(f"{theirs}{name}") * 1000 for side, name in sides.items()},
        )
        for theirs, ours in _INVESTORS.items()
    )  # fmt: skip


def _margin(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    assumed = rules.after(typed["date"], _MARGIN_LAG)
    return typed.with_columns(available=rules.after(typed["PubDate"]).fill_null(assumed))


def _short(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    short = pl.col("bound") + pl.col("free")
    return typed.with_columns(
        pl.col("sector").replace(dict(rules.sectors)),
        available=rules.after(typed["date"]),
        short_turnover=short,
        turnover=pl.col("outright") + pl.col("bound") + pl.col("free"),
    )


def _statements(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """Disclosures of results, and revisions of forecasts alone.

    A revision has ``period`` null, no figures but forecasts, and these are for the fiscal year that ends
    on ``period_end``.
    """
    same_day = (typed["time"].str.zfill(8) < _BEFORE_CLOSE) & rules.holds(typed["day"])
    revision = pl.col("document").str.contains("ForecastRevision").fill_null(value=False)
    for_next = (pl.col("period") == "FY") & ~revision
    forecasts = {
        f"forecast_{name}": pl.when(for_next).then(f"next_{name}").otherwise(f"now_{name}")
        for name in ("sales", "operating_profit", "net_profit")
    }
    typed = typed.with_columns(
        available=pl.when(same_day.fill_null(value=False))
        .then(typed["day"])
        .otherwise(rules.after(typed["day"])),
        **forecasts,
    ).with_columns(
        period_end=pl.when(revision).then("year_end").otherwise("period_end"),
        period=pl.when(revision).then(None).otherwise("period"),
    )
    return typed.filter(pl.col("period").is_in(["1Q", "2Q", "3Q", "FY"]).fill_null(value=True))


def _earnings(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """``date`` null: what was announced is withdrawn."""
    return typed.with_columns(available=rules.after(typed["PubDate"]))


def _options(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """The vendor's volatility is in percent. Published after midnight.

    On days of emergency margin calls a contract has two rows; that of the settlement (002) is kept.
    """
    contract = ["date", "code"]
    typed = typed.sort(*contract, "emergency").unique(contract, keep="last", maintain_order=True)
    sides = {"1": "put", "2": "call"}
    return typed.with_columns(
        pl.col("kind").replace_strict(sides, default=None, return_dtype=pl.String),
        available=rules.after(typed["date"]),
        implied_volatility=pl.col("IV") / 100,
    )


def _valuation(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """Made of the day's close, so published after it; statements of the day enter on the next. The vendor
    counts market capitalisation in million yen.
    """
    return typed.with_columns(
        available=rules.after(typed["date"]), market_cap=pl.col("MktCap") * 1_000_000
    )


def _disclosures(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """Documents of a stock and day by the close that could know them; those without a code are of funds."""
    typed = typed.drop_nulls("symbol")
    in_time = (typed["time"].str.zfill(8) < _IN_TIME) & rules.holds(typed["date"])
    return (
        typed.with_columns(
            available=pl.when(in_time.fill_null(value=False))
            .then(typed["date"])
            .otherwise(rules.after(typed["date"]))
        )
        .group_by("date", "available", "symbol")
        .agg(documents=pl.col("DiscNo").n_unique())
    )


def _holdings(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """Reports on listed issuers, used from the session after they were filed."""
    typed = typed.drop_nulls("symbol")
    return typed.with_columns(available=rules.after(typed["date"]))


_SPAN = ("from_yyyymmdd", "to_yyyymmdd")
ENDPOINTS = (
    Endpoint(
        table="master", method="get_eq_master", asked=("date",), cut="quarter", required=True,
        columns="date=Date symbol=Code name=CoName english=CoNameEn S33 S17 Mrgn ProdCat",
        schema=MASTER_SCHEMA, key=("date", "symbol"), finish=_master,
    ),
    Endpoint(
        table="bars", method="get_eq_bars_daily", required=True, exact=True,
        columns="date=Date symbol=Code open=O high=H low=L close=C volume=Vo turnover=Va"
        " adjustment_factor=AdjFactor",
        schema=PART_SCHEMA, key=("date", "symbol"),
        # Prices as quoted. A day without a trade keeps its row (it may carry a factor), prices null.
        finish=lambda typed, _: typed.with_columns(pl.col("adjustment_factor").fill_null(1.0)),
    ),
    Endpoint(
        table="index", method="get_idx_bars_daily_topix", asked=_SPAN, cut="year",
        columns="date=Date close=C", schema=INDEX_SCHEMA, key=("date",),
    ),
    Endpoint(
        table="flow", method="get_eq_investor_types", asked=_SPAN, cut="year",
        columns="date=EnDate PubDate Section "
        + " ".join(f"{theirs}{side}" for theirs in _INVESTORS for side in ("Buy", "Sell")),
        schema=OPTIONAL["flow"], key=("date", "available", "investor"), finish=_flow,
    ),
    Endpoint(
        table="margin", method="get_mkt_margin_interest", cut="week",
        columns="date=Date PubDate symbol=Code long=LongVol short=ShrtVol",
        schema=OPTIONAL["margin"], key=("date", "available", "symbol"), finish=_margin,
    ),
    Endpoint(
        table="short", method="get_mkt_short_ratio", exact=True,
        columns="date=Date sector=S33 outright=SellExShortVa bound=ShrtWithResVa free=ShrtNoResVa",
        schema=OPTIONAL["short"], key=("date", "available", "sector"), finish=_short,
    ),
    Endpoint(
        table="statements", method="get_fin_summary_cursor",
        columns="day=DiscDate time=DiscTime symbol=Code document=DocType period=CurPerType"
        " period_end=CurPerEn year_end=CurFYEn sales=Sales operating_profit=OP net_profit=NP"
        " assets=TA equity=Eq now_sales=FSales now_operating_profit=FOP now_net_profit=FNP"
        " next_sales=NxFSales next_operating_profit=NxFOP next_net_profit=NxFNp",
        schema=OPTIONAL["statements"], key=("available", "symbol"), finish=_statements,
    ),
    Endpoint(
        table="earnings", method="get_fin_earnings_date",
        columns="PubDate symbol=Code date=SchDate",
        schema=OPTIONAL["earnings"], key=("available", "symbol"), finish=_earnings,
    ),
    Endpoint(
        table="options", method="get_drv_bars_daily_opt_225", exact=True,
        columns="date=Date code=Code expiry=SQD strike=Strike kind=PCDiv IV open_interest=OI volume=Vo"
        " underlying=UnderPx emergency=EmMrgnTrgDiv",
        schema=OPTIONAL["options"], key=("date", "available"), finish=_options,
    ),
    Endpoint(
        table="valuation", method="get_eq_valuation", exact=True,
        columns="date=Date symbol=Code per=PER forward_per=FwdPER pbr=PBR roe=ROE forward_roe=FwdROE MktCap",
        schema=OPTIONAL["valuation"], key=("date", "available", "symbol"), finish=_valuation,
    ),
    Endpoint(
        table="holdings", method="get_edinet_large_volume_shareholders", since=_FIRST_HOLDING,
        columns="date=SubDate symbol=Code held=TotalShsHeld outstanding=TotalOutStks",
        schema=OPTIONAL["holdings"], key=("date", "available"), finish=_holdings,
    ),
    Endpoint(
        table="disclosures", method="get_td_list", asked=("date",),
        columns="date=DiscDate time=DiscTime symbol=Code DiscNo",
        schema=OPTIONAL["disclosures"], key=("date", "available"), finish=_disclosures,
    ),
)  # fmt: skip
"""In the order of the pull. Statements and announcements are asked for by the day they were published:
sessions only, since the exchange publishes nothing on other days."""
